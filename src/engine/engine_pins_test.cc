// Held requests keep what the prefix cache has of their prompts until they start.
#include <gtest/gtest.h>

#include "engine/limits.h"
#include "engine/testing/stepped_engine.h"

namespace plinth::engine {
namespace {

class EnginePins : public ::testing::Test {
 protected:
  static protocol::GenerateRequest held(const std::string& id, const std::string& prompt,
                                        std::int32_t max_tokens = 5) {
    auto request = text_request(id, prompt, max_tokens);
    request.held = true;
    return request;
  }
  void add(PreparedRequest prepared) {
    const auto id = prepared.spec.request_id;
    ASSERT_TRUE(
        core()
            .add(std::move(prepared), [this, id](auto events) { results_[id].take(events); })
            .ok());
  }
  Result run(PreparedRequest prepared) {
    const auto id = prepared.spec.request_id;
    add(std::move(prepared));
    engine_.run_until_idle();
    return results_[id];
  }
  // Others' prompts, until nothing else is cached.
  void fill() {
    const auto evicted = core().stats().cache_evictions;
    for (int i = 0; core().stats().cache_evictions < evicted + 40; ++i) {
      auto request = text_request("f", std::string(150, static_cast<char>('a' + i)), 2);
      request.cache_salt = "another";
      engine_.run(request);
    }
  }
  EngineCore& core() { return engine_.core(); }

  SteppedEngine engine_{[] {
    EngineOptions options;
    options.kv_bytes = 20 * 1024;  // pages of the fake runner
    return options;
  }()};
  std::map<std::string, Result> results_;
  const std::string prompt_ = std::string(100, 'p');
};

TEST_F(EnginePins, WhatWasFoundWhenItWasCountedIsFoundWhenItRuns) {
  const auto first = core().prepare(held("a", prompt_));
  EXPECT_EQ(first.pin.tokens, 0);
  const auto alone = run(first);
  auto second = core().prepare(held("b", prompt_));
  EXPECT_EQ(second.pin.tokens, 96);
  EXPECT_EQ(core().stats().blocks_pinned, 6);
  fill();
  core().redeem(second);
  EXPECT_TRUE(second.pin.redeemed);
  const auto computed = core().stats().batch_tokens;
  const auto result = run(second);
  EXPECT_EQ(result.admitted->cached_tokens, 96);
  EXPECT_EQ(result.usage.cached_tokens, 96);
  EXPECT_EQ(result.choices, alone.choices);
  EXPECT_EQ(core().stats().batch_tokens - computed, 4 + 4) << "it was found, not only promised";
  EXPECT_EQ(core().stats().blocks_pinned, 0) << "what has started pins nothing";
  engine_.expect_no_page_held();
  EXPECT_EQ(core().stats().pins_broken, 0);
  // The control: who pins nothing finds nothing after that.
  fill();
  EXPECT_EQ(engine_.run(text_request("c", prompt_, 5)).usage.cached_tokens, 0);
}

TEST_F(EnginePins, ALeaseThatIsOverIsNoPromise) {
  run(core().prepare(held("a", prompt_)));
  auto late = core().prepare(held("b", prompt_));
  engine_.clock().advance(kPinLease);
  core().redeem(late);
  EXPECT_EQ(late.pin.tokens, 0);
  EXPECT_FALSE(late.pin.redeemed);
  EXPECT_EQ(run(std::move(late)).usage.cached_tokens, 96) << "the cache has it all the same";
}

TEST_F(EnginePins, WhatOthersNeedIsLostAndSaidSo) {
  run(core().prepare(held("a", prompt_)));
  auto loser = core().prepare(held("b", prompt_));
  // All of the pool for one request: no pin keeps it from that.
  EXPECT_TRUE(engine_.run(text_request("big", std::string(300, 'b'), 10)).status.ok());
  EXPECT_EQ(core().stats().pins_broken, 1);
  core().redeem(loser);
  EXPECT_EQ(loser.pin.tokens, 0);
  EXPECT_EQ(run(std::move(loser)).usage.cached_tokens, 0);
}

TEST_F(EnginePins, WhatIsRedeemedIsCountedAsCachedEvenIfItIsLost) {
  const auto alone = run(core().prepare(held("a", prompt_)));
  // This one comes first and needs every page.
  ASSERT_TRUE(engine_.add(text_request("big", std::string(300, 'b'), 10)).ok());
  auto loser = core().prepare(held("b", prompt_));
  core().redeem(loser);
  const auto result = run(std::move(loser));
  EXPECT_EQ(core().stats().pins_broken, 1);
  EXPECT_EQ(result.admitted->cached_tokens, 96) << "so much was reserved as cached";
  EXPECT_EQ(result.usage.cached_tokens, 96);
  EXPECT_EQ(result.choices, alone.choices);
  EXPECT_TRUE(engine_.results()["big"].status.ok());
}

TEST_F(EnginePins, WhoDoesNotRunLetsGo) {
  run(core().prepare(held("a", prompt_)));
  const auto pinned = [&] { return core().stats().blocks_pinned; };
  auto refused = core().prepare(held("b", prompt_));
  EXPECT_EQ(pinned(), 6);
  core().release(refused);
  EXPECT_EQ(pinned(), 0);
  EXPECT_EQ(refused.pin.tokens, 0);
  auto cancelled = core().prepare(held("c", prompt_));
  core().redeem(cancelled);
  add(std::move(cancelled));
  EXPECT_EQ(pinned(), 6) << "it waits";
  core().cancel("c");
  EXPECT_EQ(pinned(), 0);
  auto unredeemed = core().prepare(held("d", prompt_));
  add(std::move(unredeemed));
  EXPECT_EQ(pinned(), 0);
  auto late = core().prepare(held("e", prompt_));
  core().redeem(late);
  core().drain(engine_.clock().now());
  EXPECT_FALSE(core().add(std::move(late), [](auto) {}).ok());
  EXPECT_EQ(pinned(), 0);
}

TEST_F(EnginePins, OnlyWhatWillReadTheCachePins) {
  run(core().prepare(held("a", prompt_)));
  EXPECT_EQ(core().prepare(text_request("b", prompt_, 5)).pin.id, 0u) << "nobody waits for it";
  auto request = held("b", prompt_);
  request.ignore_prefix_cache = true;
  EXPECT_EQ(core().prepare(request).pin.id, 0u);
  request = held("b", prompt_);
  request.prompt_logprobs = request.logprobs = true;
  EXPECT_EQ(core().prepare(request).pin.id, 0u) << "every row of the prompt is computed";
  EXPECT_EQ(core().prepare(held("b", prompt_, 0)).pin.id, 0u) << "nothing is computed";
  request = held("b", prompt_);
  request.cache_salt = "another";
  EXPECT_EQ(core().prepare(request).pin.id, 0u) << "promise 4";
  EXPECT_FALSE(core().prepare(held("b", prompt_, 100'000)).status.ok());
  EXPECT_EQ(core().stats().blocks_pinned, 0);
}

TEST_F(EnginePins, TheChoicesOfARequestShareItsPin) {
  run(core().prepare(held("a", prompt_)));
  auto request = held("b", prompt_);
  request.n = 3;
  auto prepared = core().prepare(request);
  core().redeem(prepared);
  const auto result = run(std::move(prepared));
  EXPECT_EQ(result.usage.cached_tokens, 96);
  EXPECT_EQ(result.usage.prompt_tokens, 100);
  EXPECT_EQ(core().stats().blocks_pinned, 0);
}

}  // namespace
}  // namespace plinth::engine
