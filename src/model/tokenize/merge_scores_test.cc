#include "model/tokenize/merge_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "model/gguf/gguf_reader.h"
#include "model/gguf/gguf_tokenizer.h"
#include "model/gguf/gguf_tokenizer_writer.h"
#include "model/tokenize/families.h"
#include "model/tokenize/tokenizer_json.h"
#include "model/tokenize/tokenizer_json_writer.h"
#include "model/tokenizer.h"
#include "tests/support/source_dir.h"

namespace plinth::model {
namespace {

constexpr char kSpace[] = "\xE2\x96\x81";  // U+2581

// A vocabulary with SentencePiece's scores, and as the stages of Llama 2's tokenizer.json.
TokenizerSpec scored() {
  const auto path = source_dir() + "/tests/golden/tokenizer/llama2-scores.json";
  const auto document = *base::parse_json(*base::read_file(path, 8u << 20));
  TokenizerSpec spec;
  spec.kind = TokenizerKind::sentencepiece_bpe;
  for (const auto& t : document.at("tokens").as_array()) spec.tokens.emplace_back(t.as_string());
  for (const auto& s : document.at("scores").as_array())
    spec.scores.push_back(s.to_number<float>());
  for (const TokenId id : {0, 1, 2}) {
    AddedToken added;
    added.id = id;
    added.text = spec.tokens[static_cast<std::size_t>(id)];
    added.special = true;
    spec.added.push_back(std::move(added));
  }
  spec.unk = 0;
  spec.bos = 1;
  spec.eos = 2;
  spec.before = {1};
  spec.stages_given = true;
  spec.byte_fallback = spec.fuse_unk = true;
  NormalizerStep prepend, replace;
  prepend.kind = NormalizerStep::Kind::prepend;
  prepend.content = replace.content = kSpace;
  replace.kind = NormalizerStep::Kind::replace;
  replace.pattern = " ";
  spec.normalizer = {prepend, replace};
  spec.detokenizer.kind = Detokenizer::Kind::sentencepiece;
  spec.detokenizer.strip_left = 1;
  return spec;
}

// What Hugging Face's converter makes of scores: a merge for each two tokens that spell a third.
TokenizerSpec merged(TokenizerSpec spec) {
  const auto find = [&](std::string_view text) {
    const auto found = std::find(spec.tokens.begin(), spec.tokens.end(), text);
    return found == spec.tokens.end() ? -1 : found - spec.tokens.begin();
  };
  std::vector<std::pair<float, MergeRule>> merges;
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    const auto& text = spec.tokens[id];
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      if (find(text.substr(0, cut)) >= 0 && find(text.substr(cut)) >= 0)
        merges.push_back({spec.scores[id], {text.substr(0, cut), text.substr(cut)}});
    }
  }
  std::stable_sort(merges.begin(), merges.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (auto& [score, merge] : merges) spec.merges.push_back(std::move(merge));
  spec.scores.clear();
  return spec;
}

// The goldens', each a string of JSON, a tab and its tokens.
std::vector<std::string> texts() {
  const auto path = source_dir() + "/tests/golden/tokenizer/llama2-scores.txt";
  std::vector<std::string> all;
  std::istringstream lines(*base::read_file(path, 8u << 20));
  for (std::string line; std::getline(lines, line);) {
    const auto text = base::parse_json(line.substr(0, line.find('\t')));
    if (text.ok()) all.emplace_back(text->as_string());
  }
  return all;
}

void expect_same_ids(const TokenizerSpec& a, const TokenizerSpec& b) {
  const auto one = *make_tokenizer(a), other = *make_tokenizer(b);
  std::size_t tokens = 0;
  for (const auto& text : texts()) {
    const auto ids = one->encode(text, {.add_special = true, .parse_special = true});
    ASSERT_TRUE(ids.ok());
    tokens += ids->size();
    ASSERT_EQ(ids, other->encode(text, {.add_special = true, .parse_special = true})) << text;
    ASSERT_EQ(one->decode(*ids), other->decode(*ids));
  }
  EXPECT_GT(tokens, 10'000u);
}

TEST(MergeScores, AFileWithThemReadsTextsAsTheListOfMergesDoes) {
  const auto spec = merged(scored());
  ASSERT_GT(spec.merges.size(), 400u);
  ASSERT_TRUE(check_gguf_tokenizer(spec).ok()) << check_gguf_tokenizer(spec);
  const auto path = testing::TempDir() + "/plinth_merge_scores.gguf";
  GgufWriter writer;
  writer.set("general.architecture", "llama");
  add_gguf_tokenizer(spec, std::ssize(spec.tokens) + 3, "", writer);
  ASSERT_TRUE(writer.write(path, [](std::uint64_t, std::uint64_t) {}).ok());
  const auto file = *base::read_file(path, 8u << 20);
  const auto read = parse_gguf({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()});
  ASSERT_TRUE(read.ok()) << read.status();
  const auto written = tokenizer_spec_of(*read);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->types[0], TokenType::unknown);
  EXPECT_EQ(written->types[3], TokenType::byte);
  expect_same_ids(spec, *written);
  expect_same_ids(scored(), *written);
  std::filesystem::remove(path);
}

TEST(MergeScores, AFolderReadsTextsAsAFileWithThemDoes) {
  const auto document = tokenizer_json(scored());
  ASSERT_TRUE(document.ok()) << document.status();
  const auto read = parse_tokenizer_json(base::to_json(*document));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(sentencepiece_space_prefix(*read), std::optional<bool>(true));
  expect_same_ids(scored(), *read);
}

TokenizerSpec small(std::vector<std::string> tokens, std::vector<MergeRule> merges) {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::sentencepiece_bpe;
  spec.tokens = std::move(tokens);
  spec.merges = std::move(merges);
  return spec;
}

TEST(MergeScores, FallInTheOrderOfTheList) {
  const auto scores = merge_scores(
      small({"a", "b", "ab", "ba", "aba"}, {{"b", "a"}, {"a", "b"}, {"a", "ba"}, {"ab", "a"}}));
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_GT((*scores)[3], (*scores)[2]);
  EXPECT_GT((*scores)[2], (*scores)[4]);
}

TEST(MergeScores, NameWhyThereAreNone) {
  const std::vector<std::string> tokens{"a", "b", "ab", "ba", "aba"};
  const std::pair<TokenizerSpec, const char*> kNone[] = {
      {small(tokens, {{"a", "b"}, {"b", "a"}, {"a", "ba"}}), "`aba` is merged of some"},
      {small(tokens, {{"a", "b"}, {"a", "ba"}, {"b", "a"}, {"ab", "a"}}), "`aba` is merged in two"},
      {small({"a", "b", "abc"}, {}), "`abc` has a character"}};
  for (const auto& [spec, why] : kNone) {
    const auto scores = merge_scores(spec);
    EXPECT_TRUE(absl::IsUnimplemented(scores.status()));
    EXPECT_THAT(base::message(scores.status()), testing::HasSubstr(why));
  }
}

}  // namespace
}  // namespace plinth::model
