#include "model/tokenizer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "model/model_file.h"
#include "model/tokenize/piece_model.h"
#include "model/tokenize/tokenizer_json.h"
#include "model/tokenizer_folder.h"
#include "tests/support/source_dir.h"

namespace plinth::model {
namespace {

std::string golden(const std::string& name) {
  auto file = base::read_file(source_dir() + "/tests/golden/tokenizer/" + name, 8 << 20);
  EXPECT_TRUE(file.ok()) << file.status();
  return *file;
}

TokenizerSpec golden_spec(const std::string& family) {
  auto spec = parse_tokenizer_json(golden(family + ".json"));
  EXPECT_TRUE(spec.ok()) << family << ": " << spec.status();
  return *std::move(spec);
}

std::unique_ptr<Tokenizer> made(TokenizerSpec spec) {
  auto tokenizer = make_tokenizer(std::move(spec));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

std::unique_ptr<Tokenizer> trained(const std::string& family) { return made(golden_spec(family)); }

// As a GGUF file would describe it: tokens, merges and the family's name alone.
std::unique_ptr<Tokenizer> by_name(const std::string& family) {
  TokenizerSpec json = golden_spec(family), spec;
  spec.pre = family;
  spec.tokens = json.tokens;
  spec.merges = json.merges;
  spec.added = json.added;
  return made(std::move(spec));
}

std::unique_ptr<Tokenizer> scored() {
  const auto document = *base::parse_json(golden("llama2-scores.json"));
  TokenizerSpec spec;
  spec.kind = TokenizerKind::sentencepiece_bpe;
  for (const auto& t : document.at("tokens").as_array()) spec.tokens.emplace_back(t.as_string());
  for (const auto& s : document.at("scores").as_array())
    spec.scores.push_back(s.to_number<float>());
  std::size_t id = 0;
  for (const auto& type : document.at("types").as_array()) {
    if (type.as_int64() == 3) {
      AddedToken added;
      added.id = static_cast<TokenId>(id);
      added.text = spec.tokens[id];
      added.special = true;
      spec.added.push_back(std::move(added));
    }
    ++id;
  }
  spec.unk = 0;
  return made(std::move(spec));
}

std::string models_folder() {
  const char* folder = std::getenv("PLINTH_TEST_MODELS");
  return folder == nullptr ? "" : folder;
}

std::unique_ptr<Tokenizer> smollm() {
  if (models_folder().empty()) return nullptr;
  auto model = open_model(models_folder() + "/SmolLM2-135M-Instruct.Q4_1.gguf");
  return made((*model)->tokenizer);
}

std::unique_ptr<Tokenizer> minilm() {
  if (models_folder().empty()) return nullptr;
  auto spec = read_tokenizer_folder(models_folder() + "/minilm");
  EXPECT_TRUE(spec.ok()) << spec.status();
  return made(*std::move(spec));
}

std::vector<TokenId> ids_of(const std::string& text) {
  std::vector<TokenId> ids;
  std::istringstream in(text);
  for (TokenId id = 0; in >> id;) ids.push_back(id);
  return ids;
}

std::string string_of(const std::string& json) {
  return std::string(base::parse_json(json)->as_string());
}

std::vector<std::string> columns(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string part; std::getline(in, part, '\t');) out.push_back(part);
  return out;
}

// Token by token as a stream shows it, control tokens included.
std::string streamed(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  DecodeState state = tokenizer.decode_begin(false);
  std::string out;
  for (const TokenId id : ids) {
    std::string piece;
    tokenizer.decode_next(state, id, false, piece);
    out += piece;
  }
  tokenizer.decode_end(state, out);
  return out;
}

// Also holds TextDecoder to decode(): without control tokens.
void expect_streams_equal(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  TextDecoder decoder(tokenizer);
  std::string out;
  for (const TokenId id : ids) out += decoder.push(id);
  out += decoder.finish();
  ASSERT_EQ(out, tokenizer.decode(ids));
}

void expect_golden(const Tokenizer& tokenizer, const std::string& name, bool special = true) {
  std::istringstream lines(golden(name + ".txt"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto parts = columns(line);
    const std::string text = string_of(parts[0]);
    const auto expected = ids_of(parts.size() > 1 ? parts[1] : "");
    const auto ids = tokenizer.encode(text, {false, special && count % 2 == 0});
    ASSERT_TRUE(ids.ok()) << ids.status();
    ASSERT_EQ(*ids, expected) << name << " line " << count + 1 << ": " << parts[0];
    const std::string decoded = parts.size() > 2 ? string_of(parts[2]) : text;
    ASSERT_EQ(tokenizer.decode(expected, false), decoded) << name << " line " << count + 1;
    ASSERT_EQ(streamed(tokenizer, expected), decoded) << name << " line " << count + 1;
    expect_streams_equal(tokenizer, expected);
  }
  EXPECT_EQ(count, 2000);
}

void expect_golden_decoding(const Tokenizer& tokenizer, const std::string& name) {
  std::istringstream lines(golden(name + ".decode.txt"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto parts = columns(line);
    const auto ids = ids_of(parts[0]);
    ASSERT_EQ(tokenizer.decode(ids, false), string_of(parts[1])) << name << " line " << count + 1;
    ASSERT_EQ(streamed(tokenizer, ids), string_of(parts[1])) << name << " line " << count + 1;
  }
  EXPECT_EQ(count, 300);
}

class TrainedFamily : public testing::TestWithParam<const char*> {};

TEST_P(TrainedFamily, EqualsHuggingFaceFromItsFile) {
  const auto tokenizer = trained(GetParam());
  expect_golden(*tokenizer, GetParam());
  expect_golden_decoding(*tokenizer, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, TrainedFamily,
                         testing::Values("gpt2", "llama3", "qwen2", "qwen35", "gpt-4o", "tekken",
                                         "deepseek-llm", "deepseek-coder", "deepseek-v3", "llama2",
                                         "gemma", "metaspace"));

class NamedFamily : public testing::TestWithParam<const char*> {};

TEST_P(NamedFamily, EqualsHuggingFaceFromItsNameAlone) {
  const auto tokenizer = by_name(GetParam());
  expect_golden(*tokenizer, GetParam());
  expect_golden_decoding(*tokenizer, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, NamedFamily,
                         testing::Values("gpt2", "llama3", "qwen2", "qwen35", "gpt-4o", "tekken",
                                         "deepseek-llm", "deepseek-coder", "deepseek-v3"));

TEST(Tokenizer, EqualsSentencePieceByScores) {
  const auto tokenizer = scored();
  expect_golden(*tokenizer, "llama2-scores", false);
  expect_golden_decoding(*tokenizer, "llama2-scores");
}

TEST(Tokenizer, EqualsHuggingFaceForTheDefaultModel) {
  const auto tokenizer = smollm();
  if (tokenizer == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  expect_golden(*tokenizer, "smollm");
  expect_golden_decoding(*tokenizer, "smollm");
}

TEST(Tokenizer, EqualsHuggingFaceForMiniLm) {
  const auto tokenizer = minilm();
  if (tokenizer == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  expect_golden(*tokenizer, "minilm");
  expect_golden_decoding(*tokenizer, "minilm");
  const auto ids = *tokenizer->encode("Hello, world", {true, false});
  EXPECT_EQ(ids, (std::vector<TokenId>{101, 7592, 1010, 2088, 102}));
  EXPECT_TRUE(tokenizer->encode("", {}).ok());
  EXPECT_EQ(*tokenizer->encode("", {true, false}), (std::vector<TokenId>{101, 102}));
}

TEST(Tokenizer, ControlTokensMatchOnlyWhereAsked) {
  const auto tokenizer = smollm();
  if (tokenizer == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  const auto parsed = *tokenizer->encode("<|im_start|>user", {false, true});
  ASSERT_EQ(parsed.size(), 2u);
  EXPECT_TRUE(tokenizer->is_control(parsed[0]));
  EXPECT_GT(tokenizer->encode("<|im_start|>user", {})->size(), 3u);
  EXPECT_EQ(tokenizer->decode(parsed), "user");
  EXPECT_EQ(tokenizer->decode(parsed, false), "<|im_start|>user");
}

TEST(Tokenizer, AddsWhatTheFileSaysAroundTheText) {
  for (const char* family : {"gpt2", "llama2", "gemma"}) {
    const auto tokenizer = trained(family);
    const auto plain = *tokenizer->encode("a b", {});
    const auto framed = *tokenizer->encode("a b", {true, false});
    ASSERT_EQ(framed.size(), plain.size() + 1) << family;
    EXPECT_TRUE(tokenizer->is_control(framed[0]));
    EXPECT_EQ(tokenizer->decode(framed), tokenizer->decode(plain)) << family;
  }
}

// Queue steps, not time: merging is O(n log n) whatever the text.
TEST(Tokenizer, MergingAMegabyteTakesLinearSteps) {
  for (const char* family : {"gpt2", "llama2"}) {
    const auto spec = golden_spec(family);
    const auto model = *make_bpe(spec);
    for (const std::string& unit : {std::string("a"), std::string("\xE2\x96\x81"),
                                    std::string("ing"), std::string("\xF0\x9F\x91\xA9")}) {
      std::string text;
      while (text.size() < 1 << 20) text += unit;
      BpeMerger merger;
      std::vector<TokenId> ids;
      model->encode(text, merger, ids);
      EXPECT_GT(ids.size(), 1000u);
      EXPECT_LT(merger.steps(), 3 * text.size()) << family << " " << unit;
    }
  }
}

TEST(Tokenizer, AMegabyteGoesThroughEveryFamily) {
  for (const char* family : {"gpt2", "llama3", "gpt-4o", "deepseek-llm", "deepseek-v3", "llama2",
                             "gemma", "metaspace"}) {
    const auto tokenizer = trained(family);
    for (const char* unit : {"a", " ", "\n", "\xCC\xA3\xCC\x87"}) {
      std::string text;
      while (text.size() < 1 << 18) text += unit;
      const auto ids = tokenizer->encode(text, {});
      ASSERT_TRUE(ids.ok()) << family << ": " << ids.status();
      if (std::string_view(family) != "metaspace") {
        EXPECT_EQ(tokenizer->decode(*ids), text) << family;
      }
    }
  }
}

TEST(Tokenizer, IllFormedTextBecomesReplacementCharacters) {
  const auto tokenizer = trained("gpt2");
  EXPECT_EQ(tokenizer->decode(*tokenizer->encode("a\xff\xc3(", {})), "a\xEF\xBF\xBD\xEF\xBF\xBD(");
}

TEST(TextDecoder, HoldsUnfinishedCharacters) {
  for (const char* family : {"gpt2", "llama2", "gemma"}) {
    const auto tokenizer = trained(family);
    for (const std::string text : {"é中👩‍👩‍👧 done", "plain", "한", " two  spaces"}) {
      TextDecoder decoder(*tokenizer);
      std::string out;
      const auto ids = *tokenizer->encode(text, {});
      for (const TokenId id : ids) {
        const std::string piece = decoder.push(id);
        ASSERT_EQ(piece.find("\xEF\xBF\xBD"), std::string::npos);
        out += piece;
      }
      EXPECT_EQ(out + decoder.finish(), text);
    }
  }
}

TEST(TextDecoder, AnUnfinishedCharacterIsReplacedAtTheEnd) {
  const auto bytes = trained("gpt2");
  TextDecoder decoder(*bytes);
  const auto ids = *bytes->encode("\xF0\x9F\x92\xA9", {});
  ASSERT_GT(ids.size(), 1u);
  decoder.push(ids[0]);
  EXPECT_EQ(decoder.finish(), "\xEF\xBF\xBD");
  // One for each byte token, as Hugging Face's ByteFallback has it.
  const auto tokenizer = trained("llama2");
  const std::vector<TokenId> two = {3 + 0xF0, 3 + 0x9F};
  EXPECT_EQ(tokenizer->decode(two), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(TextDecoder, ContinuingATextKeepsItsSpace) {
  const auto tokenizer = trained("llama2");
  const auto ids = *tokenizer->encode("hello", {});
  TextDecoder alone(*tokenizer), continuing(*tokenizer, true);
  std::string first, second;
  for (const TokenId id : ids) {
    first += alone.push(id);
    second += continuing.push(id);
  }
  EXPECT_EQ(first, "hello");
  EXPECT_EQ(second, " hello");
}

TEST(Tokenizer, RefusesBadSpecs) {
  TokenizerSpec spec;
  spec.pre = "unheard-of";
  const auto unknown = make_tokenizer(spec).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(base::message(unknown).find("unheard-of"), std::string_view::npos);
  spec.pre = "gpt2";
  spec.tokens = {"a"};
  EXPECT_TRUE(make_tokenizer(spec).ok());
  const auto refused = [&](const std::function<void(TokenizerSpec&)>& change) {
    TokenizerSpec bad = spec;
    change(bad);
    return make_tokenizer(bad).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](auto& s) { s.added.push_back({5, "<x>"}); }));
  EXPECT_TRUE(refused([](auto& s) { s.bos = 1; }));
  EXPECT_TRUE(refused([](auto& s) { s.after = {-1}; }));
  EXPECT_TRUE(refused([](auto& s) { s.tokens[0] = std::string(5000, 'x'); }));
  EXPECT_TRUE(refused([](auto& s) { s.kind = TokenizerKind::wordpiece; }));
  EXPECT_TRUE(refused([](auto& s) {
    s.kind = TokenizerKind::sentencepiece_bpe;
    s.scores = {1, 2};
  }));
}

TEST(Tokenizer, AHostileExpressionEndsInAnError) {
  TokenizerSpec spec = golden_spec("gpt2");
  spec.pre_tokenizer.resize(1);
  spec.pre_tokenizer[0] = {};
  spec.pre_tokenizer[0].pattern = "(a|aa)+[^a]";
  const auto tokenizer = made(spec);
  const auto ids = tokenizer->encode(std::string(200, 'a'), {});
  EXPECT_EQ(ids.status().code(), absl::StatusCode::kResourceExhausted) << ids.status();
  for (const char* pattern : {"(", "[a-", "(*LIMIT_MATCH=9)a", "[a&&b]", "[a[b]]", "\\h", "(?m:.)",
                              "(?R)", "a{99999}", "((((a{900}){900}){900}){900})", "[]a]"}) {
    spec.pre_tokenizer[0].pattern = pattern;
    const auto status = make_tokenizer(spec).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << pattern;
    EXPECT_NE(base::message(status).find("expression"), std::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace plinth::model
