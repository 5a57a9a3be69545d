#include "engine/model_runner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "base/file.h"
#include "base/json.h"
#include "model/tokenizer.h"
#include "tests/support/source_dir.h"

namespace plinth::engine {
namespace {

std::unique_ptr<Runner> tiny_runner(int threads, tensor::Isa isa,
                                    tensor::LinearMode mode = tensor::LinearMode::fast) {
  auto file = model::open_model(source_dir() + "/tests/golden/model/tiny_llama.gguf");
  EXPECT_TRUE(file.ok()) << file.status();
  auto runner = make_model_runner(*std::move(file), {threads, isa, mode});
  EXPECT_TRUE(runner.ok()) << runner.status();
  EXPECT_TRUE((*runner)->allocate_kv(12).ok());
  return *std::move(runner);
}

std::vector<BlockId> blocks(std::initializer_list<int> ids) {
  std::vector<BlockId> out;
  for (int id : ids) out.emplace_back(id);
  return out;
}

std::vector<float> run(Runner& runner, std::vector<BatchEntry> batch) {
  std::span<const float> logits;
  const auto status = runner.forward(batch, logits);
  EXPECT_TRUE(status.ok()) << status;
  return {logits.begin(), logits.end()};
}

std::vector<std::int32_t> some_tokens(int n, int salt) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    tokens[static_cast<std::size_t>(i)] = (i * 7 + salt * 11 + i * i) % 40;
  }
  return tokens;
}

// Promise 3: chunks, page numbers, neighbours in the batch and threads change no bit.
TEST(ModelRunner, ALogitsBitsDependOnItsOwnSequenceAlone) {
  const auto tokens = some_tokens(37, 1), other = some_tokens(20, 2);
  const auto own = blocks({0, 1, 2}), moved = blocks({7, 3, 9}), others = blocks({4, 5});
  for (tensor::Isa isa : tensor::supported_isas()) {
    const auto whole = run(*tiny_runner(1, isa), {{tokens, 0, own, 1}});
    for (int threads : {1, 2, 3}) {
      auto runner = tiny_runner(threads, isa);
      const std::span<const std::int32_t> all(tokens);
      run(*runner, {{all.first(5), 0, moved, 0}});
      run(*runner, {{other, 0, others, 1}, {all.subspan(5, 18), 5, moved, 0}});
      for (int i = 23; i < 36; ++i) {
        run(*runner, {{all.subspan(static_cast<std::size_t>(i), 1), i, moved, 1}});
      }
      const auto last = run(
          *runner, {{some_tokens(1, 3), 20, blocks({4, 5}), 1}, {all.subspan(36), 36, moved, 1}});
      ASSERT_EQ(last.size(), 80u);
      EXPECT_EQ(std::memcmp(last.data() + 40, whole.data(), 40 * 4), 0)
          << tensor::isa_name(isa) << " threads " << threads;
    }
  }
}

TEST(ModelRunner, GivesLogitsOfTheLastTokensAskedFor) {
  const auto tokens = some_tokens(9, 4);
  const auto pages = blocks({0});
  auto runner = tiny_runner(1, tensor::best_isa());
  const auto all = run(*runner, {{tokens, 0, pages, 9}});
  const auto last = run(*runner, {{tokens, 0, pages, 2}});
  ASSERT_EQ(all.size(), 9u * 40);
  ASSERT_EQ(last.size(), 2u * 40);
  EXPECT_EQ(std::memcmp(last.data(), all.data() + 7 * 40, 2 * 40 * 4), 0);
  EXPECT_TRUE(run(*runner, {{tokens, 0, pages, 0}}).empty());
}

TEST(ModelRunner, RefusesATokenOutsideTheVocabulary) {
  auto runner = tiny_runner(1, tensor::best_isa());
  const std::vector<std::int32_t> bad = {1, 40};
  const auto pages = blocks({0});
  const BatchEntry entry{bad, 0, pages, 1};
  std::span<const float> logits;
  EXPECT_EQ(runner->forward({&entry, 1}, logits).code(), absl::StatusCode::kInvalidArgument);
}

double logprob(std::span<const float> row, std::int32_t token) {
  double top = row[0], sum = 0;
  for (float value : row) top = std::max(top, static_cast<double>(value));
  for (float value : row) sum += std::exp(value - top);
  return row[static_cast<std::size_t>(token)] - top - std::log(sum);
}

// Both paths against transformers' fp32 over the same dequantised weights.
TEST(ModelRunner, LogprobsOfTheDefaultModelEqualTransformers) {
  const char* folder = std::getenv("PLINTH_TEST_MODELS");
  if (folder == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  const auto golden = base::parse_json(
      *base::read_file(source_dir() + "/tests/golden/logits/smollm2.json", 1 << 20));
  for (auto mode : {tensor::LinearMode::exact, tensor::LinearMode::fast}) {
    auto runner = *make_model_runner(
        *model::open_model(std::string(folder) + "/SmolLM2-135M-Instruct.Q4_1.gguf"),
        {2, tensor::best_isa(), mode});
    ASSERT_TRUE(runner->allocate_kv(4).ok());
    const auto pages = blocks({2, 0, 3});
    double difference = 0, count = 0;
    for (const auto& text : golden->as_array()) {
      std::vector<std::int32_t> tokens;
      for (const auto& token : text.at("tokens").as_array()) {
        tokens.push_back(static_cast<std::int32_t>(token.as_int64()));
      }
      const auto logits =
          run(*runner, {{tokens, 0, pages, static_cast<std::int32_t>(tokens.size())}});
      for (std::size_t i = 0; i + 1 < tokens.size(); ++i, ++count) {
        const std::span<const float> row(logits.data() + i * 49152, 49152);
        difference += std::fabs(logprob(row, tokens[i + 1]) -
                                text.at("logprobs").as_array()[i].to_number<double>());
      }
    }
    EXPECT_LT(difference / count, mode == tensor::LinearMode::exact ? 1e-3 : 0.1);
  }
}

// 8-bit activations against the fp32 path over dequantised weights, on real text.
TEST(ModelRunner, FastPathIsNearTheExactOneOnTheDefaultModel) {
  const char* folder = std::getenv("PLINTH_TEST_MODELS");
  if (folder == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  const std::string path = std::string(folder) + "/SmolLM2-135M-Instruct.Q4_1.gguf";
  const auto tokenizer = *model::make_tokenizer((*model::open_model(path))->tokenizer);
  const auto tokens = *tokenizer->encode(
      "The capital of France is Paris. Water boils at one hundred degrees Celsius.", {});
  std::vector<std::vector<float>> logits;
  for (auto mode : {tensor::LinearMode::exact, tensor::LinearMode::fast}) {
    auto runner = *make_model_runner(*model::open_model(path), {2, tensor::best_isa(), mode});
    ASSERT_TRUE(runner->allocate_kv(2).ok());
    const auto pages = blocks({0, 1});
    logits.push_back(run(*runner, {{tokens, 0, pages, static_cast<std::int32_t>(tokens.size())}}));
  }
  double difference = 0, exact_sum = 0;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const auto row = [&](int which) {
      return std::span<const float>(logits[static_cast<std::size_t>(which)])
          .subspan(i * 49152, 49152);
    };
    const double exact = logprob(row(0), tokens[i + 1]);
    difference += std::fabs(exact - logprob(row(1), tokens[i + 1]));
    exact_sum += exact;
  }
  const auto n = static_cast<double>(tokens.size() - 1);
  EXPECT_LT(difference / n, 0.1);
  // A model that was read wrongly scores near log(1/49152) = -10.8.
  EXPECT_GT(exact_sum / n, -3.5);
}

}  // namespace
}  // namespace plinth::engine
