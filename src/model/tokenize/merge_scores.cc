#include "model/tokenize/merge_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_map>

#include "model/tokenize/byte_alphabet.h"
#include "model/tokenize/spelt_tokens.h"
#include "model/tokenize/unicode.h"

namespace plinth::model {

namespace {

using Spelt = std::unordered_map<std::string_view, TokenId>;

absl::Status not_both_ways(std::string_view token, std::string_view why) {
  return base::unimplemented(
      fmt::format("a tokenizer whose scores and merges do not stand for each other: `{}` {}",
                  token.substr(0, 100), why));
}

// What no merge has to make: a character, or a byte's token, which stands for what is no token.
bool is_whole(std::string_view token) {
  return first_character(token).bytes == token.size() || byte_token_value(token).has_value();
}

// Each pair of tokens that it can be cut into.
absl::StatusOr<std::vector<MergeRule>> ways_to_spell(std::string_view token, const Spelt& spelt) {
  std::vector<MergeRule> ways;
  for (std::size_t at = 0; at < token.size();) {
    const auto bytes = first_character(token.substr(at)).bytes;
    if (!spelt.contains(token.substr(at, bytes)))
      return not_both_ways(token, "has a character that is no token");
    at += bytes;
    const auto left = token.substr(0, at), right = token.substr(at);
    if (!right.empty() && spelt.contains(left) && spelt.contains(right))
      ways.push_back({std::string(left), std::string(right)});
  }
  return ways;
}

}  // namespace

absl::StatusOr<std::vector<float>> merge_scores(const TokenizerSpec& spec) {
  if (!spec.scores.empty()) return spec.scores;
  const auto spelt = spelt_tokens(spec);
  std::vector<float> scores(spec.tokens.size(), 0);
  std::vector<std::size_t> ways(spec.tokens.size(), 0);
  TokenId last = -1;
  int order = 0;
  for (const auto& [left, right] : spec.merges) {
    const auto text = left + right;
    const auto merged = spelt.find(text);
    // Such a merge never applies.
    if (merged == spelt.end() || !spelt.contains(left) || !spelt.contains(right)) continue;
    const auto id = static_cast<std::size_t>(merged->second);
    if (merged->second != last && ways[id] > 0)
      return not_both_ways(text, "is merged in two places");
    last = merged->second;
    if (ways[id]++ == 0) scores[id] = -static_cast<float>(++order);
  }
  for (const auto& [text, id] : spelt) {
    if (is_whole(text)) continue;
    ASSIGN_OR_RETURN(const auto all, ways_to_spell(text, spelt));
    if (all.size() != ways[static_cast<std::size_t>(id)])
      return not_both_ways(text, "is merged of some of its parts only");
  }
  return scores;
}

absl::StatusOr<std::vector<MergeRule>> merge_rules(const TokenizerSpec& spec) {
  if (spec.scores.empty()) return spec.merges;
  const auto spelt = spelt_tokens(spec);
  struct Merged {
    float score;
    std::string_view text;
    std::vector<MergeRule> ways;
  };
  std::vector<Merged> tokens;
  for (const auto& [text, id] : spelt) {
    if (is_whole(text)) continue;
    ASSIGN_OR_RETURN(auto ways, ways_to_spell(text, spelt));
    if (!ways.empty())
      tokens.push_back({spec.scores[static_cast<std::size_t>(id)], text, std::move(ways)});
  }
  std::sort(tokens.begin(), tokens.end(),
            [](const auto& a, const auto& b) { return a.score > b.score; });
  std::vector<MergeRule> rules;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && tokens[i].score == tokens[i - 1].score)
      return not_both_ways(tokens[i].text, "has the score of another token");
    std::move(tokens[i].ways.begin(), tokens[i].ways.end(), std::back_inserter(rules));
  }
  return rules;
}

}  // namespace plinth::model
