#include "engine/engine_core.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/testing/stepped_engine.h"

namespace plinth::engine {
namespace {

TEST(EngineCore, CancelFreesThePagesAtOnceAndKeepsWhatWasUsed) {
  SteppedEngine engine({});
  ASSERT_TRUE(engine.add(text_request("a", "hello", 1000)).ok());
  for (int i = 0; i < 5; ++i) engine.core().step();
  engine.core().cancel("nobody");
  engine.core().cancel("a");
  engine.expect_no_page_held();
  engine.core().step();
  EXPECT_TRUE(engine.core().idle());
  const auto& result = engine.results()["a"];
  EXPECT_EQ(result.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(result.usage.prompt_tokens, 5);
  EXPECT_EQ(result.usage.completion_tokens, 5);
}

TEST(EngineCore, ARequestThatNeverStartedCostsNothing) {
  EngineOptions options;
  options.sequences_max = 1;
  SteppedEngine engine(options);
  ASSERT_TRUE(engine.add(text_request("a", "hello", 100)).ok());
  ASSERT_TRUE(engine.add(text_request("b", "hello", 100)).ok());
  engine.core().step();
  engine.core().cancel("b");
  engine.core().step();
  EXPECT_TRUE(engine.results()["b"].finished);
  EXPECT_FALSE(engine.results()["b"].admitted.has_value());
  EXPECT_EQ(engine.results()["b"].usage.prompt_tokens, 0);
}

// LongRoPE turns the keys of long sequences at other frequencies: the fake runner makes other
// logits of them, and checks that no sequence is given keys of both kinds.
TEST(EngineCore, WhereThePromptEndsChangesNothingOnEitherSideOfTheOriginalContext) {
  EngineOptions options;
  options.step_tokens_max = 8;
  SteppedEngine engine(options, make_fake_runner({.short_rope_tokens_max = 32}));
  auto request = text_request("whole", std::string(20, 'p'), 60);
  request.logprobs = true;
  request.sampling.temperature = 0;
  const auto whole = engine.run(request).choices[0].reported;
  ASSERT_EQ(whole.size(), 60u);
  for (const std::size_t taken : {1u, 11u, 12u, 13u, 14u, 40u}) {
    protocol::TokenPrompt prompt{std::vector<std::int32_t>(20, 'p')};
    prompt.tokens.insert(prompt.tokens.end(), whole.begin(),
                         whole.begin() + static_cast<std::ptrdiff_t>(taken));
    request.request_id = std::to_string(taken);
    request.prompt = prompt;
    request.max_tokens = static_cast<std::int32_t>(whole.size() - taken);
    const auto rest = engine.run(request);
    EXPECT_EQ(
        rest.choices.at(0).reported,
        std::vector<std::int32_t>(whole.begin() + static_cast<std::ptrdiff_t>(taken), whole.end()))
        << taken;
    EXPECT_GE(rest.admitted->cached_tokens, 16) << taken;
  }
  engine.expect_no_page_held();
}

TEST(EngineCore, ChoicesOutgrowTheOriginalContextTogetherUnderPressure) {
  EngineOptions options;
  options.step_tokens_max = 16;
  options.kv_bytes = 12 * 1024;  // 12 pages: not enough for four choices of 80 tokens
  options.prefix_cache = false;
  auto request = text_request("r", std::string(30, 'p'), 50);
  request.n = 4;
  request.logprobs = true;
  SteppedEngine tight(options, make_fake_runner({.short_rope_tokens_max = 32}));
  const auto pressed = tight.run(request);
  options.kv_bytes = 1024 * 1024;
  SteppedEngine roomy(options, make_fake_runner({.short_rope_tokens_max = 32}));
  EXPECT_EQ(pressed.choices, roomy.run(request).choices);
  EXPECT_GT(tight.core().stats().preemptions, 0);
  EXPECT_EQ(roomy.core().stats().preemptions, 0);
}

TEST(EngineCore, TheQueueCountsChoicesAndIsBounded) {
  EngineOptions options;
  options.sequences_max = 1;
  options.queue_max = 4;
  SteppedEngine engine(options);
  auto request = text_request("a", "hello", 10);
  request.n = 9;
  EXPECT_TRUE(engine.add(request).ok()) << "nothing waits: anything may";
  request = text_request("b", "hello", 10);
  EXPECT_EQ(engine.add(request).code(), absl::StatusCode::kResourceExhausted);
  engine.run_until_idle();
  ASSERT_TRUE(engine.add(text_request("c", "x", 10)).ok());
  engine.core().step();
  request.n = 3;
  ASSERT_TRUE(engine.add(request).ok());
  request.request_id = "d";
  EXPECT_EQ(engine.add(request).code(), absl::StatusCode::kResourceExhausted);
  request.n = 1;
  EXPECT_TRUE(engine.add(request).ok());
  EXPECT_EQ(engine.core().stats().waiting, 4);
  engine.run_until_idle();
  EXPECT_EQ(engine.results()["a"].choices.size(), 9u);
}

TEST(EngineCore, DrainRefusesTheNewFinishesTheOldAndEndsTheLate) {
  SteppedEngine engine({});
  ASSERT_TRUE(engine.add(text_request("short", "hello", 3)).ok());
  ASSERT_TRUE(engine.add(text_request("long", "hello", 1000)).ok());
  engine.core().step();
  engine.core().drain(engine.clock().now() + std::chrono::seconds(5));
  EXPECT_EQ(engine.add(text_request("new", "x", 1)).code(), absl::StatusCode::kUnavailable);
  for (int i = 0; i < 10; ++i) engine.core().step();
  EXPECT_TRUE(engine.results()["short"].status.ok());
  EXPECT_FALSE(engine.results()["long"].finished);
  engine.clock().advance(std::chrono::seconds(5));
  engine.core().step();
  EXPECT_EQ(engine.results()["long"].status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(engine.core().idle());
  engine.expect_no_page_held();
}

TEST(EngineCore, MaxTokensZeroEndsWithoutAStep) {
  SteppedEngine engine({});
  auto request = text_request("a", "hello", 0);
  request.n = 2;
  request.echo = true;
  const auto result = engine.run(request);
  EXPECT_EQ(result.choices.at(1).text, "hello");
  EXPECT_EQ(result.choices.at(1).reason, protocol::FinishReason::length);
  EXPECT_EQ(result.usage.prompt_tokens, 5);
  EXPECT_EQ(engine.core().stats().steps, 0);
}

TEST(EngineCore, TheContextIsTheEndWhereNoLengthWasAsked) {
  EngineOptions options;
  options.context_tokens = 40;
  SteppedEngine engine(options);
  auto request = text_request("a", "hello", 0);
  request.max_tokens.reset();
  const auto result = engine.run(request);
  EXPECT_EQ(result.usage.completion_tokens, 35);
  EXPECT_EQ(result.choices.at(0).reason, protocol::FinishReason::length);
}

TEST(EngineCore, PromptLogprobsComeOnceWhateverTheChunksAndPreemptions) {
  auto request = text_request("a", std::string(90, 'q') + "xyz", 30);
  request.prompt_logprobs = request.logprobs = request.echo = true;
  request.top_logprobs = 2;
  request.n = 2;
  SteppedEngine alone({});
  const auto expected = alone.run(request);
  EXPECT_EQ(expected.choices.at(0).reported.size(), 93u + 30);
  EXPECT_EQ(expected.choices.at(0).text.substr(0, 93), std::string(90, 'q') + "xyz");
  std::int64_t preemptions = 0;
  for (const int budget : {5, 16, 33, 512}) {
    EngineOptions options;
    options.kv_bytes = 10 * 1024;
    options.step_tokens_max = budget;
    SteppedEngine crowded(options);
    // Older ones that come to need the pages.
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(crowded.add(text_request("o" + std::to_string(i), "old", 75)).ok());
      crowded.core().step();
    }
    ASSERT_TRUE(crowded.add(request).ok());
    crowded.run_until_idle();
    EXPECT_EQ(crowded.results()["a"].choices, expected.choices) << budget;
    preemptions += crowded.core().stats().preemptions;
  }
  EXPECT_GT(preemptions, 0);
}

// A runner that fails, or whose numbers are none, at one call.
class FailingRunner final : public Runner {
 public:
  FailingRunner(int call, absl::Status status)
      : inner_(make_fake_runner({})), call_(call), status_(std::move(status)) {}
  const RunnerInfo& info() const override { return inner_->info(); }
  absl::Status allocate_kv(std::int32_t blocks) override { return inner_->allocate_kv(blocks); }
  absl::Status forward(std::span<const BatchEntry> batch, std::span<const float>& logits) override {
    RETURN_IF_ERROR(inner_->forward(batch, logits));
    if (--call_ != 0) return absl::OkStatus();
    RETURN_IF_ERROR(status_);
    broken_.assign(logits.begin(), logits.end());
    broken_[3] = std::numeric_limits<float>::quiet_NaN();
    logits = broken_;
    return absl::OkStatus();
  }
  void clear_blocks(std::span<const BlockId> blocks) override { inner_->clear_blocks(blocks); }

 private:
  std::unique_ptr<Runner> inner_;
  int call_;
  absl::Status status_;
  std::vector<float> broken_;
};

TEST(EngineCore, ARunnerThatFailsEndsTheRequestsOfThatStepAlone) {
  EngineOptions options;
  options.sequences_max = 2;
  SteppedEngine engine(options,
                       std::make_unique<FailingRunner>(3, base::internal("the device is gone")));
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(engine.add(text_request(id, id, 10)).ok());
  engine.run_until_idle();
  EXPECT_EQ(engine.results()["a"].status, base::internal("the device is gone"));
  EXPECT_EQ(engine.results()["b"].status, base::internal("the device is gone"));
  EXPECT_TRUE(engine.results()["c"].status.ok());
  EXPECT_EQ(engine.core().stats().step_failures, 1);
  engine.expect_no_page_held();
}

TEST(EngineCore, ANumberThatIsNotFiniteEndsItsRequestAlone) {
  SteppedEngine engine({}, std::make_unique<FailingRunner>(2, absl::OkStatus()));
  ASSERT_TRUE(engine.add(text_request("a", "a", 10)).ok());
  ASSERT_TRUE(engine.add(text_request("b", "b", 10)).ok());
  engine.run_until_idle();
  EXPECT_EQ(engine.results()["a"].status.code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(engine.results()["b"].status.ok());
}

TEST(EngineCore, RequestsWithoutASeedDiffer) {
  SteppedEngine engine({});
  auto request = text_request("a", "hello", 20);
  request.sampling.seed.reset();
  const auto first = engine.run(request), second = engine.run(request);
  EXPECT_NE(first.choices.at(0).text, second.choices.at(0).text);
}

TEST(EngineCore, OptionsThatLeaveNoStepAreRefused) {
  EngineOptions options;
  options.step_tokens_max = 0;
  base::FakeClock clock;
  EXPECT_FALSE(
      EngineCore::create(options, make_fake_runner({}), make_byte_tokenizer(), nullptr, clock)
          .ok());
}

}  // namespace
}  // namespace plinth::engine
