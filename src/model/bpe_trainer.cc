#include "model/bpe_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <queue>
#include <unordered_map>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "model/limits.h"
#include "model/tokenize/byte_alphabet.h"
#include "model/tokenize/families.h"
#include "model/tokenize/pre_tokenizer.h"
#include "model/tokenize/utf8.h"

namespace plinth::model {

namespace {

constexpr std::size_t kBytes = 256;
constexpr const char* kControls[] = {"<|begin_of_text|>", "<|end_of_text|>"};

using Pair = std::pair<TokenId, TokenId>;

// A piece of text that occurs `count` times.
struct Word {
  std::vector<TokenId> ids;
  std::int64_t count = 0;
};

// The commonest first; of equals the pair of the lower tokens.
struct Candidate {
  std::int64_t count = 0;
  Pair pair;
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

class BpeTrainer {
 public:
  // tokens: the bytes, in the order of the characters that stand for them.
  explicit BpeTrainer(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) by_text_[tokens_[i]] = static_cast<TokenId>(i);
  }

  void add(Word word) {
    const auto index = static_cast<std::uint32_t>(words_.size());
    for (std::size_t i = 0; i + 1 < word.ids.size(); ++i)
      count({word.ids[i], word.ids[i + 1]}, word.count, index);
    words_.push_back(std::move(word));
  }

  void run(std::size_t tokens_max) {
    for (const auto& [pair, found] : pairs_) queue_.push({found.count, pair});
    while (tokens_.size() < tokens_max && !queue_.empty()) {
      const auto best = queue_.top();
      queue_.pop();
      const auto now = pairs_[best.pair].count;
      if (now < 1) continue;
      if (now != best.count) {
        queue_.push({now, best.pair});
        continue;
      }
      merge(best.pair);
    }
  }

  std::vector<std::string> take_tokens() { return std::move(tokens_); }
  std::vector<MergeRule> take_merges() { return std::move(merges_); }

 private:
  struct Found {
    std::int64_t count = 0;
    std::vector<std::uint32_t> words;  // that have it, or had it; some more than once
  };

  void count(const Pair& pair, std::int64_t by, std::uint32_t word) {
    auto& found = pairs_[pair];
    found.count += by;
    if (by > 0 && (found.words.empty() || found.words.back() != word)) found.words.push_back(word);
  }

  void merge(const Pair& pair) {
    const auto left = tokens_[static_cast<std::size_t>(pair.first)],
               right = tokens_[static_cast<std::size_t>(pair.second)];
    merges_.push_back({left, right});
    const auto [token, fresh] =
        by_text_.try_emplace(left + right, static_cast<TokenId>(tokens_.size()));
    if (fresh) tokens_.push_back(left + right);
    const auto words = std::move(pairs_[pair].words);
    pairs_[pair] = {};
    changed_.clear();
    for (const auto word : words) merge_in(word, pair, token->second);
    pairs_[pair].count = 0;
    for (const auto& other : changed_) {
      if (const auto now = pairs_[other].count; now > 0) queue_.push({now, other});
    }
  }

  void merge_in(std::uint32_t index, const Pair& pair, TokenId token) {
    auto& word = words_[index];
    auto& ids = word.ids;
    std::size_t out = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i + 1 == ids.size() || ids[i] != pair.first || ids[i + 1] != pair.second) {
        ids[out++] = ids[i];
        continue;
      }
      // Its neighbours lose a pair and get one with the new token.
      if (out > 0) {
        count({ids[out - 1], ids[i]}, -word.count, index);
        changed_.push_back({ids[out - 1], token});
        count(changed_.back(), word.count, index);
      }
      if (i + 2 < ids.size()) {
        count({ids[i + 1], ids[i + 2]}, -word.count, index);
        changed_.push_back({token, ids[i + 2]});
        count(changed_.back(), word.count, index);
      }
      ids[out++] = token;
      ++i;
    }
    ids.resize(out);
  }

  std::vector<std::string> tokens_;
  std::vector<MergeRule> merges_;
  std::unordered_map<std::string, TokenId> by_text_;
  std::vector<Word> words_;
  absl::flat_hash_map<Pair, Found> pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<Pair> changed_;
};

// By how often each piece of the text occurs; in one order, whatever the hashes are.
absl::StatusOr<std::map<std::string, std::int64_t>> pieces_of(std::string_view text,
                                                              const TokenizerSpec& stages) {
  ASSIGN_OR_RETURN(const auto split, PreTokenizer::create(stages.pre_tokenizer));
  std::unordered_map<std::string, std::int64_t> counts;
  RETURN_IF_ERROR(split.split(utf8_repaired(text), true,
                              [&](std::string_view piece) { ++counts[std::string(piece)]; }));
  return std::map<std::string, std::int64_t>(counts.begin(), counts.end());
}

void add_controls(TokenizerSpec& spec) {
  for (const char* control : kControls) {
    AddedToken added;
    added.id = static_cast<TokenId>(spec.tokens.size());
    added.text = control;
    added.special = true;
    spec.tokens.push_back(control);
    spec.added.push_back(added);
  }
  const auto size = static_cast<TokenId>(spec.tokens.size());
  spec.types.assign(spec.tokens.size(), TokenType::normal);
  spec.types[spec.types.size() - 2] = spec.types.back() = TokenType::control;
  spec.bos = size - 2;
  spec.eos = size - 1;
  spec.end_of_generation = {size - 1};
}

}  // namespace

absl::StatusOr<TokenizerSpec> train_bpe(std::string_view text, const BpeTrainingOptions& options) {
  if (options.vocab < kBytes + std::size(kControls) || options.vocab > kVocabMax) {
    return base::invalid_argument(fmt::format("a vocabulary of {} is none of {} to {}",
                                              options.vocab, kBytes + std::size(kControls),
                                              kVocabMax));
  }
  TokenizerSpec spec;
  spec.pre = options.pre;
  auto stages = spec;
  RETURN_IF_ERROR(fill_stages(stages));
  const bool learns = options.vocab > kBytes + std::size(kControls);
  ASSIGN_OR_RETURN(const auto pieces, pieces_of(learns ? text : "", stages));
  std::vector<std::pair<std::uint32_t, std::size_t>> letters;
  for (std::size_t byte = 0; byte < kBytes; ++byte)
    letters.emplace_back(byte_alphabet()[byte], byte);
  std::sort(letters.begin(), letters.end());
  std::vector<std::string> tokens;
  std::vector<TokenId> by_byte(kBytes);
  for (const auto& [point, byte] : letters) {
    by_byte[byte] = static_cast<TokenId>(tokens.size());
    append_utf8(tokens.emplace_back(), point);
  }
  BpeTrainer trainer(std::move(tokens));
  for (const auto& [piece, count] : pieces) {
    Word word{{}, count};
    for (const char byte : piece) word.ids.push_back(by_byte[static_cast<unsigned char>(byte)]);
    trainer.add(std::move(word));
  }
  trainer.run(options.vocab - std::size(kControls));
  spec.tokens = trainer.take_tokens();
  spec.merges = trainer.take_merges();
  add_controls(spec);
  return spec;
}

}  // namespace plinth::model
