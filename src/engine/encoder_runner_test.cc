#include "engine/encoder_runner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/file.h"
#include "base/json.h"
#include "tests/support/source_dir.h"

namespace plinth::engine {
namespace {

using Tokens = std::vector<std::int32_t>;

std::string golden(const std::string& name) {
  return source_dir() + "/tests/golden/encoder/" + name;
}

std::unique_ptr<EmbeddingRunner> runner_of(const std::string& folder, int threads, tensor::Isa isa,
                                           tensor::LinearMode mode) {
  auto file = model::open_encoder(folder);
  EXPECT_TRUE(file.ok()) << file.status();
  if (!file.ok()) return nullptr;
  auto runner = make_encoder_runner(*std::move(file), {threads, isa, mode});
  EXPECT_TRUE(runner.ok()) << runner.status();
  return *std::move(runner);
}

struct Case {
  Tokens tokens;
  std::vector<float> vector;
};

std::vector<Case> read_cases(const std::string& path) {
  const auto text = base::read_file(path, 4 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  const auto document = *base::parse_json(*text);
  std::vector<Case> cases;
  for (const auto& entry : document.as_array()) {
    Case c;
    for (const auto& token : entry.at("tokens").as_array()) {
      c.tokens.push_back(token.to_number<std::int32_t>());
    }
    for (const auto& value : entry.at("vector").as_array()) {
      c.vector.push_back(value.to_number<float>());
    }
    cases.push_back(std::move(c));
  }
  EXPECT_GE(cases.size(), 7u);
  return cases;
}

std::vector<Tokens> tokens_of(const std::vector<Case>& cases) {
  std::vector<Tokens> all;
  all.reserve(cases.size());
  for (const auto& c : cases) all.push_back(c.tokens);
  return all;
}

std::vector<float> embed(EmbeddingRunner& runner, const std::vector<Tokens>& sequences) {
  std::vector<float> out;
  const auto status = runner.embed(sequences, out);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.size(), sequences.size() * static_cast<std::size_t>(runner.dimensions()));
  return out;
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

// |got - expected| over |expected|, both as vectors.
double relative_error(std::span<const float> got, std::span<const float> expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - expected[i], 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / size);
}

class EncoderFamily : public testing::TestWithParam<const char*> {};

TEST_P(EncoderFamily, EqualsTransformersInFp32) {
  const auto cases = read_cases(golden(std::string(GetParam()) + "/expected.json"));
  for (tensor::Isa isa : tensor::supported_isas()) {
    const auto runner = runner_of(golden(GetParam()), 1, isa, tensor::LinearMode::exact);
    ASSERT_NE(runner, nullptr);
    const auto out = embed(*runner, tokens_of(cases));
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const auto n = cases[i].vector.size();
      ASSERT_EQ(static_cast<std::int32_t>(n), runner->dimensions());
      const double error = relative_error(std::span(out).subspan(i * n, n), cases[i].vector);
      EXPECT_LT(error, 1e-4) << tensor::isa_name(isa) << " of " << cases[i].tokens.size();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EncoderFamily,
                         testing::Values("bert_mean", "bert_cls_bf16", "roberta_max",
                                         "distilbert_mean"),
                         [](const auto& family) { return std::string(family.param); });

TEST(EncoderRunner, TheSameWeightsAsGgufGiveTheSameBits) {
  const auto folder =
      runner_of(golden("bert_mean"), 1, tensor::Isa::scalar, tensor::LinearMode::exact);
  const auto gguf =
      runner_of(golden("bert_mean.gguf"), 1, tensor::Isa::scalar, tensor::LinearMode::exact);
  ASSERT_NE(gguf, nullptr);
  EXPECT_EQ(gguf->context_tokens_max(), 40);
  const auto batch = tokens_of(read_cases(golden("bert_mean/expected.json")));
  EXPECT_EQ(embed(*gguf, batch), embed(*folder, batch));
}

// Promise 3: neighbours, their number and the threads change no bit. bert_cls_bf16 is the one whose
// widths fit the integer kernels.
TEST(EncoderRunner, AVectorsBitsDependOnItsOwnSequenceAlone) {
  std::vector<Tokens> many;
  for (int i = 0; i < 60; ++i) {
    Tokens tokens;
    for (int t = 0; t <= (i * 7) % 33; ++t) tokens.push_back((i * 11 + t * t * 3 + t) % 60);
    many.push_back(std::move(tokens));
  }
  for (const auto mode : {tensor::LinearMode::fast, tensor::LinearMode::exact}) {
    for (tensor::Isa isa : tensor::supported_isas()) {
      const auto runner = runner_of(golden("bert_cls_bf16"), 1, isa, mode);
      std::vector<float> alone;
      for (const auto& tokens : many) {
        const auto vector = embed(*runner, {tokens});
        alone.insert(alone.end(), vector.begin(), vector.end());
      }
      for (const int threads : {1, 3}) {
        const auto other = runner_of(golden("bert_cls_bf16"), threads, isa, mode);
        ASSERT_EQ(embed(*other, many), alone) << tensor::isa_name(isa) << " threads " << threads;
      }
    }
  }
}

TEST(EncoderRunner, FastModeStaysCloseToFp32) {
  const auto cases = read_cases(golden("bert_cls_bf16/expected.json"));
  for (tensor::Isa isa : tensor::supported_isas()) {
    const auto fast = runner_of(golden("bert_cls_bf16"), 1, isa, tensor::LinearMode::fast);
    for (const auto& c : cases) {
      const auto vector = embed(*fast, {c.tokens});
      EXPECT_GT(cosine(vector, c.vector), 0.999) << tensor::isa_name(isa);
      // The integer kernels ran: fp32 is closer than they can be.
      EXPECT_GT(relative_error(vector, c.vector), 1e-4);
    }
  }
}

TEST(EncoderRunner, RefusesWhatItCannotRunByName) {
  const auto runner =
      runner_of(golden("bert_mean"), 1, tensor::Isa::scalar, tensor::LinearMode::exact);
  EXPECT_EQ(runner->context_tokens_max(), 20);
  EXPECT_EQ(runner->dimensions(), 24);
  std::vector<float> out;
  const struct {
    Tokens tokens;
    const char* named;
  } cases[] = {{{}, "without tokens"},
               {Tokens(21, 7), "21 tokens, and the model takes 20"},
               {{1, -1}, "token -1"},
               {{60}, "token 60 is outside the vocabulary of 60"}};
  for (const auto& c : cases) {
    const std::vector<Tokens> batch = {{1, 2}, c.tokens};
    const auto status = runner->embed(batch, out);
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_NE(base::message(status).find(c.named), std::string_view::npos) << status;
  }
}

TEST(EncoderRunner, TheTokenizerGivesTheReferenceTokens) {
  const char* folder = std::getenv("PLINTH_TEST_MODELS");
  if (folder == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  auto file = model::open_encoder(std::string(folder) + "/minilm");
  ASSERT_TRUE(file.ok()) << file.status();
  const auto tokenizer = model::make_tokenizer((*file)->tokenizer);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto document =
      *base::parse_json(*base::read_file(golden("all_minilm_l6_v2.json"), 4 << 20));
  for (const auto& entry : document.as_array()) {
    const std::string text(entry.at("text").as_string());
    Tokens expected;
    for (const auto& token : entry.at("tokens").as_array()) {
      expected.push_back(token.to_number<std::int32_t>());
    }
    EXPECT_EQ(*(*tokenizer)->encode(text, {true, false}), expected) << text;
  }
}

class MiniLm : public testing::TestWithParam<tensor::LinearMode> {};

TEST_P(MiniLm, EqualsTheReferenceVectors) {
  const char* folder = std::getenv("PLINTH_TEST_MODELS");
  if (folder == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  const bool exact = GetParam() == tensor::LinearMode::exact;
  const auto runner = runner_of(std::string(folder) + "/minilm", 2, tensor::best_isa(), GetParam());
  ASSERT_NE(runner, nullptr);
  EXPECT_EQ(runner->context_tokens_max(), 256);
  const auto cases = read_cases(golden("all_minilm_l6_v2.json"));
  const auto out = embed(*runner, tokens_of(cases));
  double worst = 1;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto vector = std::span(out).subspan(i * 384, 384);
    worst = std::min(worst, cosine(vector, cases[i].vector));
    double squares = 0;
    for (const float value : vector) squares += static_cast<double>(value) * value;
    EXPECT_NEAR(squares, 1.0, 1e-5);
  }
  RecordProperty("worst_cosine", std::to_string(worst));
  EXPECT_GT(worst, exact ? 0.9999 : 0.999);
}

INSTANTIATE_TEST_SUITE_P(Modes, MiniLm,
                         testing::Values(tensor::LinearMode::exact, tensor::LinearMode::fast),
                         [](const auto& family) {
                           return family.param == tensor::LinearMode::exact ? "exact" : "fast";
                         });

}  // namespace
}  // namespace plinth::engine
