#include "model/bpe_trainer.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "model/tokenizer.h"
#include "tests/support/source_dir.h"

namespace plinth::model {
namespace {

// tools/fixtures/make_bpe_fixture.py made them.
const std::string kGolden = source_dir() + "/tests/golden/bpe/";

TEST(BpeTrainer, LearnsWhatHuggingFacesLearns) {
  const auto text = *base::read_file(kGolden + "text.txt", 1 << 20);
  const auto expected = *base::parse_json(*base::read_file(kGolden + "expected.json", 1 << 20));
  const auto& tokens = expected.at("tokens").as_array();
  const auto spec = train_bpe(text, {tokens.size() + 2, "gpt-2"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  ASSERT_EQ(spec->tokens.size(), tokens.size() + 2);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    EXPECT_EQ(spec->tokens[i], tokens[i].as_string()) << i;
  const auto& merges = expected.at("merges").as_array();
  ASSERT_EQ(spec->merges.size(), merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    EXPECT_EQ(spec->merges[i].left, merges[i].at(0).as_string()) << i;
    EXPECT_EQ(spec->merges[i].right, merges[i].at(1).as_string()) << i;
  }
  const auto tokenizer = make_tokenizer(*spec);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto ids = *(*tokenizer)->encode(text, {});
  EXPECT_LT(ids.size() * 2, text.size());
  EXPECT_EQ((*tokenizer)->decode(ids), text);
}

TEST(BpeTrainer, EndsWhereTheTextHasNoMorePairs) {
  const auto spec = train_bpe("abab abab", {5000, "gpt-2"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  // ab, abab, and the same after a space.
  EXPECT_EQ(spec->tokens.size(), 256u + 3 + 2);
  EXPECT_EQ(spec->bos, 259);
  EXPECT_EQ(spec->eos, 260);
  EXPECT_EQ(train_bpe("", {300, "gpt-2"})->tokens.size(), 258u);
}

TEST(BpeTrainer, TakesAnyBytes) {
  std::string text;
  for (int i = 0; i < 4096; ++i) text.push_back(static_cast<char>(i * 37 % 251));
  const auto spec = train_bpe(text, {400, "llama-bpe"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_GT(spec->tokens.size(), 258u);
}

TEST(BpeTrainer, RefusesWhatCannotBe) {
  EXPECT_TRUE(absl::IsInvalidArgument(train_bpe("a", {257, "gpt-2"}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(train_bpe("a", {std::size_t{1} << 40, "gpt-2"}).status()));
  EXPECT_TRUE(absl::IsUnimplemented(train_bpe("a", {300, "nobody"}).status()));
}

}  // namespace
}  // namespace plinth::model
