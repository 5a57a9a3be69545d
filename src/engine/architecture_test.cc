// Every architecture and rope scaling against transformers in fp32: tests/golden/architecture holds
// tiny random models and their logits (tools/fixtures/make_architecture_fixtures.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "base/json.h"
#include "engine/model_runner.h"
#include "tests/support/source_dir.h"

namespace plinth::engine {
namespace {

const std::string kGolden = source_dir() + "/tests/golden/architecture/";

struct Case {
  std::string name;
  std::string file;  // inside the folder; "" = the folder itself
};

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  return info.param.name + (info.param.file.empty() ? "_folder" : "_gguf");
}

struct Golden {
  std::vector<std::int32_t> tokens;
  std::vector<float> logits;  // [tokens, vocab]
};

constexpr int kVocab = 96;

std::vector<Golden> goldens(const std::string& name) {
  const auto sequences =
      *base::parse_json(*base::read_file(kGolden + name + "/sequences.json", 1 << 20));
  const std::string bytes = *base::read_file(kGolden + name + "/logits.f32", 1 << 20);
  std::vector<Golden> out;
  std::size_t at = 0;
  for (const auto& sequence : sequences.as_array()) {
    Golden golden;
    for (const auto& token : sequence.as_array()) {
      golden.tokens.push_back(static_cast<std::int32_t>(token.as_int64()));
    }
    golden.logits.resize(golden.tokens.size() * kVocab);
    std::memcpy(golden.logits.data(), bytes.data() + at, golden.logits.size() * sizeof(float));
    at += golden.logits.size() * sizeof(float);
    out.push_back(std::move(golden));
  }
  EXPECT_EQ(at, bytes.size());
  return out;
}

class Architecture : public ::testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<Runner> runner(int threads, std::int32_t context = 0,
                                 tensor::LinearMode mode = tensor::LinearMode::exact,
                                 tensor::Isa isa = tensor::best_isa()) {
    auto file = model::open_model(kGolden + GetParam().name + "/" + GetParam().file);
    EXPECT_TRUE(file.ok()) << file.status();
    auto made = make_model_runner(*std::move(file), {threads, isa, mode, context});
    EXPECT_TRUE(made.ok()) << made.status();
    EXPECT_TRUE((*made)->allocate_kv(16).ok());
    return *std::move(made);
  }
};

// Whether a sequence of `tokens` turns at LongRoPE's long frequencies.
bool long_rope(const Runner& runner, std::int32_t tokens) {
  return tokens > runner.info().short_rope_tokens_max;
}

std::vector<float> run(Runner& runner, std::vector<BatchEntry> batch) {
  std::span<const float> logits;
  const auto status = runner.forward(batch, logits);
  EXPECT_TRUE(status.ok()) << status;
  return {logits.begin(), logits.end()};
}

const std::vector<BlockId> kPages = {BlockId(5), BlockId(0), BlockId(9), BlockId(2), BlockId(7)};
const std::vector<BlockId> kOtherPages = {BlockId(1), BlockId(3), BlockId(4), BlockId(6),
                                          BlockId(8)};

TEST_P(Architecture, LogitsEqualTransformers) {
  for (const auto& golden : goldens(GetParam().name)) {
    const auto made = runner(1);
    const auto n = static_cast<std::int32_t>(golden.tokens.size());
    const auto logits = run(*made, {{golden.tokens, 0, kPages, n, long_rope(*made, n)}});
    ASSERT_EQ(logits.size(), golden.logits.size());
    float largest = 0;
    for (const float value : golden.logits) largest = std::max(largest, std::fabs(value));
    for (std::size_t i = 0; i < logits.size(); ++i) {
      ASSERT_NEAR(logits[i], golden.logits[i], 1e-4f * largest)
          << "position " << i / kVocab << " of " << golden.tokens.size();
    }
  }
}

// Promise 3, for windows, experts and every other part: chunks, neighbours and threads change no
// bit, in both modes and on every instruction set.
TEST_P(Architecture, BitsDependOnTheSequenceAlone) {
  const auto golden = goldens(GetParam().name).back();
  const std::span<const std::int32_t> all(golden.tokens);
  const auto n = static_cast<std::int32_t>(all.size());
  std::vector<std::int32_t> other(golden.tokens.rbegin(), golden.tokens.rend());
  for (const auto mode : {tensor::LinearMode::exact, tensor::LinearMode::fast}) {
    for (const auto isa : tensor::supported_isas()) {
      auto chunked = runner(3, 0, mode, isa);
      const bool is_long = long_rope(*chunked, n);
      const auto whole = run(*runner(1, 0, mode, isa), {{all, 0, kPages, n, is_long}});
      std::vector<float> logits;
      const auto add = [&](const std::vector<float>& rows, std::size_t skip) {
        logits.insert(logits.end(), rows.begin() + static_cast<std::ptrdiff_t>(skip * kVocab),
                      rows.end());
      };
      add(run(*chunked,
              {{other, 0, kOtherPages, 1, is_long}, {all.first(9), 0, kPages, 9, is_long}}),
          1);
      add(run(*chunked, {{all.subspan(9, 17), 9, kPages, 17, is_long}}), 0);
      for (std::int32_t i = 26; i < n; ++i) {
        const auto token = all.subspan(static_cast<std::size_t>(i), 1);
        add(run(*chunked, {{token, i, kPages, 1, is_long}}), 0);
      }
      ASSERT_EQ(logits.size(), whole.size());
      ASSERT_EQ(std::memcmp(logits.data(), whole.data(), whole.size() * sizeof(float)), 0)
          << tensor::isa_name(isa) << (mode == tensor::LinearMode::fast ? " fast" : " exact");
    }
  }
}

TEST_P(Architecture, RefusesMoreThanItsContext) {
  auto tight = runner(1, 20);
  EXPECT_EQ(tight->info().context_tokens_max, 20);
  const std::vector<std::int32_t> tokens(21, 5);
  const BatchEntry entry{tokens, 0, kPages, 1};
  std::span<const float> logits;
  EXPECT_EQ(tight->forward({&entry, 1}, logits).code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(
    Gguf, Architecture,
    ::testing::Values(Case{"llama", "model.gguf"}, Case{"llama_llama3", "model.gguf"},
                      Case{"llama_linear", "model.gguf"}, Case{"smollm3", "model.gguf"},
                      Case{"qwen2", "model.gguf"}, Case{"qwen3", "model.gguf"},
                      Case{"qwen3moe", "model.gguf"}, Case{"gemma2", "model.gguf"},
                      Case{"gemma3", "model.gguf"}, Case{"phi3", "model.gguf"},
                      Case{"gpt2", "model.gguf"}, Case{"mixtral", "model.gguf"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(Folder, Architecture,
                         ::testing::Values(Case{"llama", ""}, Case{"llama_llama3", ""},
                                           Case{"llama_linear", ""}, Case{"mistral", ""},
                                           Case{"mixtral", ""}, Case{"smollm3", ""},
                                           Case{"qwen2", ""}, Case{"qwen2_window", ""},
                                           Case{"qwen3", ""}, Case{"qwen3moe", ""},
                                           Case{"qwen3moe_mixed", ""}, Case{"gemma2", ""},
                                           Case{"gemma3", ""}, Case{"phi3", ""}, Case{"gpt2", ""}),
                         name_of);

}  // namespace
}  // namespace plinth::engine
