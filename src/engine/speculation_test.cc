// Speculation as a caller sees it: the same answers in fewer steps, and no cost to others.
#include <gtest/gtest.h>

#include <limits>

#include "engine/model_runner.h"
#include "engine/testing/stepped_engine.h"
#include "tests/support/source_dir.h"

namespace plinth::engine {
namespace {

using protocol::GenerateRequest;

std::unique_ptr<Runner> tiny_model() {
  auto file = model::open_model(source_dir() + "/tests/golden/model/tiny_llama.gguf");
  EXPECT_TRUE(file.ok()) << file.status();
  auto runner = make_model_runner(*std::move(file), {2, tensor::best_isa()});
  EXPECT_TRUE(runner.ok()) << runner.status();
  return *std::move(runner);
}

EngineOptions with(Speculation speculation, std::int32_t step_tokens_max = 512) {
  EngineOptions options;
  options.speculation = speculation;
  options.step_tokens_max = step_tokens_max;
  options.kv_bytes = 1 << 20;
  return options;
}

std::string repeated(const std::string& text, int times) {
  std::string whole;
  for (int i = 0; i < times; ++i) whole += text;
  return whole;
}

// Prompts that repeat themselves, and few likely tokens, so that drafts come true at any
// temperature.
std::vector<GenerateRequest> mixed_requests() {
  std::vector<GenerateRequest> requests;
  for (const double temperature : {0.0, 0.7, 1.3}) {
    for (int i = 0; i < 8; ++i) {
      protocol::TokenPrompt prompt;
      for (int t = 0; t < 10 + 2 * i; ++t) prompt.tokens.push_back((t % (i + 3)) * 5 % 40);
      auto request = text_request(std::to_string(requests.size()), "", 5 + 5 * i);
      request.prompt = prompt;
      request.n = i % 4 == 3 ? 2 : 1;
      request.sampling.seed = static_cast<std::uint64_t>(1000 + i);
      request.sampling.temperature = temperature;
      request.sampling.top_p = i % 3 == 1 ? 0.9 : 1.0;
      request.sampling.frequency_penalty = i == 5 ? 0.3 : 0;
      request.sampling.repetition_penalty = i == 6 ? 1.1 : 1;
      for (int t = 0; t < 3; ++t) request.sampling.logit_bias.emplace_back((i + 11 * t) % 40, 6.0f);
      if (i % 2 == 0) request.stop = {std::string(2, static_cast<char>(i))};
      request.logprobs = i != 4;
      request.top_logprobs = i % 4;
      request.echo = request.prompt_logprobs = i == 7;
      requests.push_back(request);
    }
  }
  return requests;
}

TEST(SpeculationTest, ARealModelGivesTheSameAnswersToTheBit) {
  SteppedEngine off(with(Speculation::off), tiny_model());
  for (const int step_tokens : {16, 512}) {
    SteppedEngine alone(with(Speculation::ngram, step_tokens), tiny_model());
    SteppedEngine together(with(Speculation::ngram, step_tokens), tiny_model());
    const auto requests = mixed_requests();
    for (std::size_t i = 0; i < requests.size(); ++i) {
      ASSERT_TRUE(together.add(requests[i]).ok());
      if (i % 3 == 0) together.core().step();
    }
    together.run_until_idle();
    for (const auto& request : requests) {
      SCOPED_TRACE(request.request_id);
      const auto expected = off.run(request), single = alone.run(request);
      const auto& mixed = together.results()[request.request_id];
      ASSERT_TRUE(expected.status.ok()) << expected.status;
      EXPECT_EQ(single.choices, expected.choices);
      EXPECT_EQ(mixed.choices, expected.choices);
      EXPECT_EQ(single.usage.completion_tokens, expected.usage.completion_tokens);
      EXPECT_EQ(mixed.usage.completion_tokens, expected.usage.completion_tokens);
    }
    const auto stats = alone.core().stats();
    EXPECT_GT(stats.accepted_tokens, 20);
    EXPECT_GT(stats.drafted_tokens, stats.accepted_tokens) << "some are wrong too";
    EXPECT_GT(together.core().stats().accepted_tokens, 0);
    EXPECT_LT(stats.steps, off.core().stats().steps);
    alone.expect_no_page_held();
    together.expect_no_page_held();
  }
  EXPECT_EQ(off.core().stats().drafted_tokens, 0);
}

// A fake model that repeats what stood `period` places before.
struct Pair {
  explicit Pair(int period, std::size_t pages = 256, int end_token = -1,
                std::int32_t short_rope = INT32_MAX)
      : on(options(Speculation::ngram, pages), runner(period, short_rope),
           make_byte_tokenizer(end_token)),
        off(options(Speculation::off, pages), runner(period, short_rope),
            make_byte_tokenizer(end_token)) {}
  static EngineOptions options(Speculation speculation, std::size_t pages) {
    auto chosen = with(speculation);
    chosen.kv_bytes = pages * 1024;
    return chosen;
  }
  static std::unique_ptr<Runner> runner(int period, std::int32_t short_rope) {
    return make_fake_runner({.short_rope_tokens_max = short_rope, .period = period});
  }
  // What both give.
  Result run(const GenerateRequest& request) {
    const auto with_drafts = on.run(request), without = off.run(request);
    EXPECT_EQ(with_drafts.choices, without.choices);
    EXPECT_EQ(with_drafts.usage.completion_tokens, without.usage.completion_tokens);
    EXPECT_EQ(with_drafts.usage.cached_tokens, without.usage.cached_tokens);
    EXPECT_EQ(with_drafts.status, without.status);
    on.expect_no_page_held();
    return with_drafts;
  }
  SteppedEngine on, off;
};

GenerateRequest greedy(const std::string& id, const std::string& prompt, int max_tokens) {
  auto request = text_request(id, prompt, max_tokens);
  request.sampling.temperature = 0;
  request.logprobs = true;
  return request;
}

TEST(SpeculationTest, ATextThatRepeatsItselfTakesFarFewerSteps) {
  Pair engines(7);
  engines.run(greedy("a", repeated("abcdefg", 5), 200));
  EXPECT_EQ(engines.off.core().stats().steps, 200);
  EXPECT_LT(engines.on.core().stats().steps, 60);
  const auto stats = engines.on.core().stats();
  EXPECT_EQ(stats.accepted_tokens, 200 - stats.steps) << "each saved a step";
}

TEST(SpeculationTest, AStopStringInTheMiddleOfAnAcceptedRunEndsIt) {
  const auto text = repeated("abcdefg", 10);
  Pair engines(7);
  for (std::size_t length = 1; length <= 40; ++length) {
    auto request = greedy("a", repeated("abcdefg", 5), 200);
    request.stop = {text.substr(0, length) + "X", text.substr(0, length)};
    const auto result = engines.run(request);
    EXPECT_EQ(result.choices.at(0).reason, protocol::FinishReason::stop);
    EXPECT_EQ(result.choices.at(0).text, "");
    EXPECT_EQ(result.usage.completion_tokens, static_cast<std::int32_t>(length));
  }
  EXPECT_GT(engines.on.core().stats().accepted_tokens, 300);
}

TEST(SpeculationTest, TheEndTokenInTheMiddleOfAnAcceptedRunEndsIt) {
  Pair engines(6, 256, '!');
  const auto result = engines.run(greedy("a", repeated("abcde!", 5), 100));
  EXPECT_EQ(result.choices.at(0).text, "abcde");
  EXPECT_EQ(result.choices.at(0).reason, protocol::FinishReason::stop);
  EXPECT_EQ(result.usage.completion_tokens, 6);
  EXPECT_GT(engines.on.core().stats().accepted_tokens, 0);
  auto request = greedy("b", repeated("abcde!", 5), 100);
  request.ignore_eos = true;
  EXPECT_EQ(engines.run(request).usage.completion_tokens, 100);
}

TEST(SpeculationTest, EveryLengthEndsWhereItWasAskedTo) {
  Pair engines(3);
  for (int length = 1; length <= 40; ++length) {
    const auto result = engines.run(greedy("a", repeated("abc", 6), length));
    EXPECT_EQ(result.usage.completion_tokens, length);
    EXPECT_EQ(result.choices.at(0).reason, protocol::FinishReason::length);
  }
  EXPECT_GT(engines.on.core().stats().accepted_tokens, 300);
}

TEST(SpeculationTest, PenaltiesCountTheTokensOfTheSameStep) {
  Pair engines(4);
  auto request = greedy("a", repeated("abcd", 8), 150);
  request.sampling.frequency_penalty = 0.4;
  const auto text = engines.run(request).choices.at(0).text;
  EXPECT_EQ(text.substr(0, 8), "abcdabcd");
  EXPECT_NE(text, repeated("abcd", 40).substr(0, 150)) << "it was to break the pattern";
  request.request_id = "b";
  request.sampling.frequency_penalty = 0;
  request.sampling.repetition_penalty = 1.6;
  request.sampling.temperature = 0.8;
  engines.run(request);
}

TEST(SpeculationTest, ADraftPastTheOriginalContextIsNotVerifiedWithShortKeys) {
  Pair engines(5, 256, -1, 64);
  const auto result = engines.run(greedy("a", repeated("abcde", 6), 120));
  EXPECT_EQ(result.usage.completion_tokens, 120);
  EXPECT_GT(engines.on.core().stats().accepted_tokens, 50);
}

TEST(SpeculationTest, PausesWhereDraftsDoNotComeTrue) {
  auto options = with(Speculation::ngram);
  SteppedEngine engine(options, make_fake_runner({.vocab_size = 12}));
  auto request = text_request("a", repeated("\1\2\3\4\5", 4), 2000);
  request.ignore_eos = true;
  EXPECT_EQ(engine.run(request).usage.completion_tokens, 2000);
  // Pairs and triples of twelve tokens are seen all the time, and followed by anything.
  EXPECT_LT(engine.core().stats().drafted_tokens, 2000 / 10);
}

TEST(SpeculationTest, LearnsThatItPaysWithoutBeingTold) {
  // Its text begins with nothing to repeat.
  Pair engines(9);
  engines.run(greedy("a", "abcdefghi", 300));
  EXPECT_LT(engines.on.core().stats().steps, 100);
}

TEST(SpeculationTest, ManyStreamsDraftLittle) {
  SteppedEngine engine(with(Speculation::ngram), make_fake_runner({.period = 7}));
  for (int i = 0; i < 32; ++i) {
    auto request =
        text_request(std::to_string(i), repeated("abcdefg", 5), 100, static_cast<std::uint64_t>(i));
    ASSERT_TRUE(engine.add(request).ok());
  }
  engine.run_until_idle();
  EXPECT_LT(engine.core().stats().drafted_tokens, 3200 / 20);
}

// Steps until a long prompt, which arrives while others repeat themselves, has its first token.
int steps_to_first_token(Speculation speculation) {
  SteppedEngine engine(with(speculation, 16), make_fake_runner({.period = 7}));
  for (const char* id : {"a", "b"}) {
    EXPECT_TRUE(engine.add(greedy(id, repeated("abcdefg", 5), 1000)).ok());
  }
  for (int i = 0; i < 20; ++i) engine.core().step();
  EXPECT_TRUE(engine.add(text_request("late", std::string(200, 'q'), 3)).ok());
  int steps = 0;
  while (engine.results()["late"].choices.empty()) {
    engine.core().step();
    ++steps;
  }
  EXPECT_EQ(engine.core().stats().drafted_tokens > 0, speculation != Speculation::off);
  return steps;
}

TEST(SpeculationTest, APromptWaitsForNoDraft) {
  EXPECT_EQ(steps_to_first_token(Speculation::ngram), steps_to_first_token(Speculation::off));
}

TEST(SpeculationTest, DraftsPreemptNobody) {
  auto options = with(Speculation::ngram);
  options.kv_bytes = 14 * 1024;
  SteppedEngine engine(options, make_fake_runner({.period = 7}));
  // Two of 7 pages each at their ends: they fill the pool, and a draft finds no page.
  for (const char* id : {"a", "b"}) {
    ASSERT_TRUE(engine.add(greedy(id, repeated("abcdefg", 5), 7 * 16 - 35)).ok());
  }
  engine.run_until_idle();
  EXPECT_GT(engine.core().stats().accepted_tokens, 50);
  EXPECT_EQ(engine.core().stats().preemptions, 0);
  engine.expect_no_page_held();
}

// Passes on what is asked, and fails or breaks a number once drafts are in the batch.
class DraftFailingRunner final : public Runner {
 public:
  explicit DraftFailingRunner(bool not_finite) : not_finite_(not_finite) {}
  const RunnerInfo& info() const override { return inner_->info(); }
  absl::Status allocate_kv(std::int32_t blocks) override { return inner_->allocate_kv(blocks); }
  absl::Status forward(std::span<const BatchEntry> batch, std::span<const float>& logits) override {
    RETURN_IF_ERROR(inner_->forward(batch, logits));
    if (batch[0].drafts == 0) return absl::OkStatus();
    if (!not_finite_) return base::internal("the device is gone");
    // Of the last draft; those before it are sound.
    broken_.assign(logits.begin(), logits.end());
    broken_.back() = std::numeric_limits<float>::quiet_NaN();
    logits = broken_;
    return absl::OkStatus();
  }
  void clear_blocks(std::span<const BlockId> blocks) override { inner_->clear_blocks(blocks); }

 private:
  std::unique_ptr<Runner> inner_ = make_fake_runner({.period = 7});
  const bool not_finite_;
  std::vector<float> broken_;
};

TEST(SpeculationTest, AFailedStepOfDraftsEndsItsRequest) {
  SteppedEngine engine(with(Speculation::ngram), std::make_unique<DraftFailingRunner>(false));
  const auto result = engine.run(greedy("a", repeated("abcdefg", 5), 100));
  EXPECT_EQ(result.status, base::internal("the device is gone"));
  engine.expect_no_page_held();
}

TEST(SpeculationTest, ANumberThatIsNotFiniteCountsOnlyWhereTheDraftCameTrue) {
  SteppedEngine engine(with(Speculation::ngram), std::make_unique<DraftFailingRunner>(true));
  const auto right = engine.run(greedy("a", repeated("abcdefg", 5), 100));
  EXPECT_EQ(right.status.code(), absl::StatusCode::kInternal);
  EXPECT_GT(right.usage.completion_tokens, 1) << "the sound rows were taken first";
  // The draft says "bc", and "c" is banned: the row after it counts for nothing.
  const auto before = engine.core().stats();
  auto request = greedy("b", repeated("abcdefg", 5), 4);
  request.sampling.logit_bias.emplace_back('c', -100.0f);
  const auto wrong = engine.run(request);
  EXPECT_TRUE(wrong.status.ok()) << wrong.status;
  EXPECT_EQ(engine.core().stats().drafted_tokens - before.drafted_tokens, 2);
  EXPECT_EQ(engine.core().stats().accepted_tokens - before.accepted_tokens, 1);
  engine.expect_no_page_held();
}

TEST(SpeculationTest, CancellingBetweenStepsOfDraftsFreesEveryPage) {
  SteppedEngine engine(with(Speculation::ngram), make_fake_runner({.period = 7}));
  ASSERT_TRUE(engine.add(greedy("a", repeated("abcdefg", 5), 1000)).ok());
  for (int i = 0; i < 10; ++i) engine.core().step();
  EXPECT_GT(engine.core().stats().accepted_tokens, 0);
  engine.core().cancel("a");
  engine.expect_no_page_held();
  engine.core().step();
  const auto& result = engine.results()["a"];
  EXPECT_EQ(result.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(result.usage.completion_tokens,
            static_cast<std::int32_t>(engine.core().stats().completion_tokens));
  EXPECT_EQ(result.choices.at(0).text,
            repeated("abcdefg", 200).substr(0, result.choices.at(0).text.size()));
}

}  // namespace
}  // namespace plinth::engine
