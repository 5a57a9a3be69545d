// Promise 3 on real models: the same request with the same seed gives the same tokens and the same
// log-probabilities, bit for bit, whatever else is in the batch, however the prompts are cut, with
// and without the prefix cache and speculation, with preemptions, and for any number of threads.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "engine/model_runner.h"
#include "engine/testing/stepped_engine.h"
#include "tests/support/source_dir.h"

namespace plinth::engine {
namespace {

struct Setting {
  int threads, step_tokens, pages, sequences;
  bool cache;
  Speculation speculation = Speculation::ngram;
};

struct Subject {
  std::string path;
  int vocab = 0;
  int requests = 0, prompt_max = 0, output_max = 0;
  bool bulk_reference = false;  // prompts are computed apart, as on AMX
};

std::unique_ptr<SteppedEngine> engine_for(const Subject& subject, const Setting& setting) {
  ModelRunnerOptions model{setting.threads, tensor::best_isa(), tensor::LinearMode::fast};
  model.bulk_reference = subject.bulk_reference;
  auto runner = make_model_runner(*model::open_model(subject.path), model);
  EXPECT_TRUE(runner.ok()) << runner.status();
  EngineOptions options;
  options.kv_bytes = (*runner)->info().kv_block_bytes * static_cast<std::size_t>(setting.pages);
  options.step_tokens_max = setting.step_tokens;
  options.sequences_max = setting.sequences;
  options.prefix_cache = setting.cache;
  options.speculation = setting.speculation;
  // Texts do not matter here: tokens are compared.
  return std::make_unique<SteppedEngine>(options, *std::move(runner));
}

std::vector<protocol::GenerateRequest> mixed_requests(const Subject& subject) {
  std::mt19937 random(7);
  const auto pick = [&](int least, int most) {
    return least + static_cast<int>(random() % static_cast<unsigned>(most - least + 1));
  };
  std::vector<protocol::GenerateRequest> requests;
  for (int i = 0; i < subject.requests; ++i) {
    protocol::TokenPrompt prompt;
    // Stems that requests share, so that the prefix cache has something to find.
    const int length = pick(1, subject.prompt_max), stem = pick(0, length);
    for (int t = 0; t < length; ++t) {
      prompt.tokens.push_back(t < stem ? (t * 7 + 3) % subject.vocab : pick(0, subject.vocab - 1));
    }
    protocol::GenerateRequest request;
    request.request_id = std::to_string(i);
    request.prompt = std::move(prompt);
    request.max_tokens = pick(1, subject.output_max);
    request.n = i % 4 == 0 ? 2 : 1;
    request.tenant = std::to_string(i % 3);
    request.tenant_weight = 1 + i % 3;
    if (i % 5 == 0) request.service_class = protocol::ServiceClass::batch;
    request.sampling.seed = random();
    request.sampling.temperature = i % 3 == 0 ? 0.0 : 0.9;
    request.sampling.top_p = i % 2 == 0 ? 0.9 : 1.0;
    request.logprobs = true;
    request.top_logprobs = 3;
    request.prompt_logprobs = i % 5 == 1;
    request.ignore_eos = true;
    requests.push_back(std::move(request));
  }
  return requests;
}

struct Happened {
  std::int64_t preemptions = 0, cached = 0, drafted = 0;
};

// Each request alone, one after the other, against all of them at once in each setting.
void expect_same_bits(const Subject& subject, const std::vector<Setting>& settings,
                      Happened& happened) {
  const auto requests = mixed_requests(subject);
  std::map<std::string, Result> alone;
  auto single = engine_for(subject, {1, 512, 64, 8, false, Speculation::off});
  for (const auto& request : requests) alone[request.request_id] = single->run(request);
  for (const auto& setting : settings) {
    SCOPED_TRACE(::testing::Message()
                 << setting.threads << " threads, " << setting.step_tokens << " tokens a step, "
                 << setting.pages << " pages, cache " << setting.cache);
    auto together = engine_for(subject, setting);
    for (const auto& request : requests) {
      ASSERT_TRUE(together->add(request).ok());
      // Some join while others already decode.
      if (request.sampling.temperature == 0) together->core().step();
    }
    together->run_until_idle();
    for (const auto& [id, result] : together->results()) {
      ASSERT_TRUE(result.status.ok()) << result.status;
      EXPECT_EQ(result.choices, alone[id].choices) << "request " << id;
    }
    happened.preemptions += together->core().stats().preemptions;
    happened.cached += together->core().stats().cached_tokens;
    happened.drafted += together->core().stats().drafted_tokens;
    together->expect_no_page_held();
  }
}

TEST(Determinism, SameBitsWhateverElseRunsOnATinyModel) {
  std::vector<Setting> settings;
  for (const int threads : {1, 2, 3}) {
    for (const int step_tokens : {5, 21, 512}) {
      for (const bool cache : {true, false}) {
        settings.push_back({threads, step_tokens, 6, 8, cache});
        settings.push_back({threads, step_tokens, 64, 3, cache});
      }
    }
  }
  const auto path = source_dir() + "/tests/golden/model/tiny_llama.gguf";
  for (const bool bulk_reference : {false, true}) {
    Happened happened;
    expect_same_bits({path, 40, 14, 50, 20, bulk_reference}, settings, happened);
    EXPECT_GT(happened.preemptions, 0);
    EXPECT_GT(happened.cached, 0);
    EXPECT_GT(happened.drafted, 0);
  }
}

TEST(Determinism, SameBitsWhateverElseRunsOnTheDefaultModel) {
  const char* folder = std::getenv("PLINTH_TEST_MODELS");
  if (folder == nullptr) GTEST_SKIP() << "PLINTH_TEST_MODELS is not set";
  Happened ignored;
  expect_same_bits({std::string(folder) + "/SmolLM2-135M-Instruct.Q4_1.gguf", 49'152, 4, 40, 6},
                   {{2, 24, 5, 8, true}, {3, 512, 64, 8, true}}, ignored);
}

}  // namespace
}  // namespace plinth::engine
