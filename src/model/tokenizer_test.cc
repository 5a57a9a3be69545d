#include "model/tokenizer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "model/model_file.h"

namespace plinth::model {
namespace {

std::string golden(const std::string& name) {
  auto file =
      base::read_file(std::string(PLINTH_SOURCE_DIR) + "/tests/golden/tokenizer/" + name, 8 << 20);
  EXPECT_TRUE(file.ok()) << file.status();
  return *file;
}

std::unique_ptr<Tokenizer> trained(const std::string& family) {
  const auto document = *base::parse_json(golden(family + ".json"));
  TokenizerSpec spec;
  spec.pre = family;
  for (const auto& t : document.at("tokens").as_array()) spec.tokens.emplace_back(t.as_string());
  for (const auto& m : document.at("merges").as_array()) spec.merges.emplace_back(m.as_string());
  return *make_tokenizer(std::move(spec));
}

std::unique_ptr<Tokenizer> smollm() {
  const char* folder = std::getenv("PLINTH_TEST_MODELS");
  if (folder == nullptr) return nullptr;
  auto model = open_model(std::string(folder) + "/SmolLM2-135M-Instruct.Q4_1.gguf");
  return *make_tokenizer((*model)->tokenizer);
}

void expect_golden(const Tokenizer& tokenizer, const std::string& name) {
  std::istringstream lines(golden(name + ".txt"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto tab = line.find('\t');
    const std::string text(base::parse_json(line.substr(0, tab))->as_string());
    std::vector<TokenId> expected;
    std::istringstream ids(line.substr(tab + 1));
    for (TokenId id = 0; ids >> id;) expected.push_back(id);
    ASSERT_EQ(tokenizer.encode(text, {}), expected) << name << " line " << count + 1;
    ASSERT_EQ(tokenizer.decode(expected), text) << name << " line " << count + 1;
  }
  EXPECT_EQ(count, 2000);
}

TEST(Tokenizer, EqualsHuggingFaceOnNastyStrings) {
  for (const char* family : {"gpt2", "llama3", "qwen2", "gpt-4o"}) {
    expect_golden(*trained(family), family);
  }
}

TEST(Tokenizer, EqualsHuggingFaceForTheDefaultModel) {
  const auto tokenizer = smollm();
  if (tokenizer == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  expect_golden(*tokenizer, "smollm");
}

TEST(Tokenizer, ControlTokensMatchOnlyWhereAsked) {
  const auto tokenizer = smollm();
  if (tokenizer == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  const auto parsed = tokenizer->encode("<|im_start|>user", {false, true});
  ASSERT_EQ(parsed.size(), 2u);
  EXPECT_TRUE(tokenizer->is_control(parsed[0]));
  EXPECT_GT(tokenizer->encode("<|im_start|>user", {}).size(), 3u);
  EXPECT_EQ(tokenizer->decode(parsed), "user");
  EXPECT_EQ(tokenizer->decode(parsed, false), "<|im_start|>user");
}

TEST(Tokenizer, AMegabyteWordIsNotQuadratic) {
  const auto tokenizer = trained("gpt2");
  const std::string text(1 << 20, 'a');
  const auto ids = tokenizer->encode(text, {});
  EXPECT_EQ(tokenizer->decode(ids), text);
  const std::string spaces(1 << 20, ' ');
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(spaces, {})), spaces);
}

TEST(Tokenizer, IllFormedTextBecomesReplacementCharacters) {
  const auto tokenizer = trained("gpt2");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a\xff\xc3(", {})), "a\xEF\xBF\xBD\xEF\xBF\xBD(");
}

TEST(TextDecoder, HoldsUnfinishedCharacters) {
  const auto tokenizer = trained("gpt2");
  for (const std::string text : {"é中👩‍👩‍👧 done", "plain", "한"}) {
    TextDecoder decoder(*tokenizer);
    std::string out;
    for (const TokenId id : tokenizer->encode(text, {})) {
      const std::string piece = decoder.push(id);
      ASSERT_EQ(piece.find("\xEF\xBF\xBD"), std::string::npos);
      out += piece;
    }
    EXPECT_EQ(out + decoder.finish(), text);
  }
  TextDecoder decoder(*tokenizer);
  const auto ids = tokenizer->encode("\xF0\x9F\x91\xA9", {});
  decoder.push(ids[0]);
  if (ids.size() > 1) {
    EXPECT_EQ(decoder.finish(), "\xEF\xBF\xBD");
  }
}

TEST(Tokenizer, RefusesBadSpecs) {
  TokenizerSpec spec;
  spec.pre = "unheard-of";
  EXPECT_FALSE(make_tokenizer(spec).ok());
  spec.pre = "gpt2";
  spec.tokens = {"a"};
  spec.merges = {"nospace"};
  EXPECT_FALSE(make_tokenizer(spec).ok());
  spec.merges.clear();
  spec.added.push_back({5, "<x>"});
  EXPECT_FALSE(make_tokenizer(spec).ok());
}

}  // namespace
}  // namespace plinth::model
