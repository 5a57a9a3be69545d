// Tenants, service classes and device time as requests see them.
#include <gtest/gtest.h>

#include <random>

#include "engine/testing/stepped_engine.h"

namespace plinth::engine {
namespace {

using protocol::ServiceClass;
using std::chrono::microseconds;

constexpr microseconds kPass{700}, kToken{13};

// Takes its time, by the test's clock; its call `fails` fails.
class TimedRunner final : public Runner {
 public:
  explicit TimedRunner(int fails = 0)
      : inner_(make_fake_runner({.vocab_size = 128})), fails_(fails) {}
  void set_clock(base::FakeClock& clock) { clock_ = &clock; }
  const RunnerInfo& info() const override { return inner_->info(); }
  absl::Status allocate_kv(std::int32_t blocks) override { return inner_->allocate_kv(blocks); }
  absl::Status forward(std::span<const BatchEntry> batch, std::span<const float>& logits) override {
    clock_->advance(kPass);
    for (const auto& entry : batch) clock_->advance(kToken * static_cast<int>(entry.tokens.size()));
    if (--fails_ == 0) return base::internal("the device is gone");
    return inner_->forward(batch, logits);
  }
  void clear_blocks(std::span<const BlockId> blocks) override { inner_->clear_blocks(blocks); }

 private:
  std::unique_ptr<Runner> inner_;
  base::FakeClock* clock_ = nullptr;
  int fails_;
};

std::unique_ptr<SteppedEngine> timed_engine(const EngineOptions& options, int fails = 0) {
  auto runner = std::make_unique<TimedRunner>(fails);
  TimedRunner& timed = *runner;
  auto engine = std::make_unique<SteppedEngine>(options, std::move(runner));
  timed.set_clock(engine->clock());
  return engine;
}

TEST(EngineDeviceTime, AStepsTimeIsSharedByTheCostOfItsTokens) {
  EngineOptions options;
  options.prompt_token_cost = 3;
  options.output_token_cost = 5;
  options.speculation = Speculation::off;
  const auto engine = timed_engine(options);
  ASSERT_TRUE(engine->add(text_request("a", std::string(7, 'a'), 3)).ok());
  engine->core().step();
  ASSERT_TRUE(engine->add(text_request("b", std::string(20, 'b'), 1)).ok());
  engine->core().step();
  engine->core().step();
  const auto first = kPass + 7 * kToken, second = kPass + 21 * kToken, third = kPass + kToken;
  const auto b = second * (20 * 3) / (20 * 3 + 5);
  EXPECT_EQ(engine->results()["b"].usage.device_us, b.count());
  EXPECT_NEAR(static_cast<double>(engine->results()["a"].usage.device_us),
              static_cast<double>((first + second - b + third).count()), 1);
  EXPECT_EQ(engine->core().stats().step_ns,
            std::chrono::nanoseconds(first + second + third).count());
}

TEST(EngineDeviceTime, EachStepsDeltaSaysHowMuchItWasSoFar) {
  EngineOptions options;
  options.speculation = Speculation::off;
  const auto engine = timed_engine(options);
  std::vector<std::int64_t> told;
  auto request = text_request("a", "hello", 4);
  request.n = 2;
  const auto sink = [&](const std::vector<protocol::GenerateEvent>& events) {
    for (const auto& event : events) {
      const auto* delta = std::get_if<protocol::Delta>(&event);
      if (delta != nullptr && delta->device_us > 0) told.push_back(delta->device_us);
      const auto* finished = std::get_if<protocol::Finished>(&event);
      if (finished != nullptr) told.push_back(finished->usage.device_us);
    }
  };
  ASSERT_TRUE(engine->core().add(engine->core().prepare(request), sink).ok());
  engine->run_until_idle();
  ASSERT_GE(told.size(), 5u);
  EXPECT_EQ(told[0], (kPass + 5 * kToken).count());
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_EQ(told.back() * 1000, engine->core().stats().step_ns);
}

// Of requests that end, are cancelled, preempted, fail or never start, under speculation, with
// pauses between them.
TEST(EngineDeviceTime, AllRequestsAndTheIdleTimeAreTheEnginesAge) {
  for (const int seed : {1, 2, 3, 4, 5}) {
    std::mt19937 random(static_cast<unsigned>(seed));
    const auto pick = [&](int least, int most) {
      return least + static_cast<int>(random() % static_cast<unsigned>(most - least + 1));
    };
    EngineOptions options;
    options.step_tokens_max = 24;
    options.sequences_max = 6;
    options.kv_bytes = 16 * 1024;
    const auto engine = timed_engine(options, 20);
    const auto begin = engine->clock().now();
    for (int i = 0; i < 60; ++i) {
      engine->clock().advance(microseconds(pick(0, 3000)));
      auto request = text_request(std::to_string(i), std::string(pick(1, 90), 'p'), pick(0, 40));
      request.n = pick(1, 3);
      request.tenant = std::to_string(pick(0, 2));
      ASSERT_TRUE(engine->add(request).ok());
      for (int steps = pick(0, 30); steps > 0; --steps) engine->core().step();
      if (pick(0, 3) == 0) engine->core().cancel(std::to_string(pick(0, i)));
      if (pick(0, 5) == 0) engine->run_until_idle();
    }
    engine->run_until_idle();
    engine->clock().advance(microseconds(500));
    const auto stats = engine->core().stats();
    std::int64_t requests_us = 0;
    for (const auto& [id, result] : engine->results()) {
      EXPECT_TRUE(result.finished);
      requests_us += result.usage.device_us;
    }
    const auto age = std::chrono::nanoseconds(engine->clock().now() - begin).count();
    EXPECT_EQ(stats.step_ns + stats.idle_ns, age);
    EXPECT_GT(stats.idle_ns, age / 50);
    EXPECT_NEAR(static_cast<double>(requests_us * 1000 + stats.idle_ns), static_cast<double>(age),
                0.001 * static_cast<double>(age))
        << "seed " << seed;
    EXPECT_GT(stats.preemptions + stats.step_failures, 0);
  }
}

TEST(EngineFairness, ALightTenantIsAnsweredWhileAHeavyOneQueues) {
  EngineOptions options;
  options.sequences_max = 4;
  SteppedEngine engine(options);
  for (int i = 0; i < 200; ++i) {
    auto request = text_request("heavy" + std::to_string(i), "hello", 20);
    request.tenant = "heavy";
    ASSERT_TRUE(engine.add(request).ok());
  }
  for (int i = 0; i < 30; ++i) engine.core().step();
  auto request = text_request("light", "hello", 20);
  request.tenant = "light";
  ASSERT_TRUE(engine.add(request).ok());
  for (int i = 0; i < 45; ++i) engine.core().step();
  EXPECT_TRUE(engine.results()["light"].finished);
  EXPECT_FALSE(engine.results()["heavy30"].finished);
}

TEST(EngineFairness, AWeightOfTheOptionsCountsBeforeTheRequests) {
  EngineOptions options;
  options.sequences_max = 4;
  options.tenant_weights = {{"a", 3}};
  SteppedEngine engine(options);
  for (int i = 0; i < 100; ++i) {
    for (const char* tenant : {"a", "b"}) {
      auto request = text_request(tenant + std::to_string(i), "hello", 20);
      request.tenant = tenant;
      ASSERT_TRUE(engine.add(request).ok());
    }
  }
  for (int i = 0; i < 20 * 20; ++i) engine.core().step();
  int a = 0, b = 0;
  for (const auto& [id, result] : engine.results()) (id[0] == 'a' ? a : b) += result.finished;
  EXPECT_NEAR(a, 3 * b, 6);
  EXPECT_GT(b, 10);
}

TEST(EngineFairness, BatchWaitsForEverythingElse) {
  EngineOptions options;
  options.sequences_max = 2;
  SteppedEngine engine(options);
  auto batch = text_request("batch", "hello", 5);
  batch.service_class = ServiceClass::batch;
  ASSERT_TRUE(engine.add(batch).ok());
  for (int i = 0; i < 6; ++i)
    ASSERT_TRUE(engine.add(text_request("s" + std::to_string(i), "hello", 10)).ok());
  while (!engine.results()["s3"].finished) {
    engine.core().step();
    ASSERT_FALSE(engine.results()["batch"].admitted.has_value());
  }
  engine.run_until_idle();
  EXPECT_TRUE(engine.results()["batch"].status.ok());
}

TEST(EngineFairness, CostsBelowOneAreRefused) {
  EngineOptions options;
  options.output_token_cost = 0;
  base::FakeClock clock;
  EXPECT_FALSE(
      EngineCore::create(options, make_fake_runner({}), make_byte_tokenizer(), nullptr, clock)
          .ok());
}

}  // namespace
}  // namespace plinth::engine
