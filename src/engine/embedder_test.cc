#include "engine/embedder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "engine/fake_embedding_runner.h"
#include "engine/fake_runner.h"
#include "protocol/limits.h"

namespace plinth::engine {
namespace {

using protocol::EmbedRequest;
using protocol::EmbedResult;
using protocol::TextPrompt;
using protocol::TokenPrompt;
using Batch = std::span<const std::vector<std::int32_t>>;

// Holds the loop inside a batch until the test lets go, so that what is posted meanwhile is known
// to be there for the next step.
class Gate {
 public:
  absl::Status enter() {
    std::unique_lock lock(mutex_);
    entered_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    return absl::OkStatus();
  }
  void wait_entered() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool entered_ = false, open_ = false;
};

const base::RealClock kClock;

EmbedRequest texts(const std::string& id, const std::vector<std::string>& inputs,
                   std::int32_t dimensions = 0) {
  EmbedRequest request;
  request.request_id = id;
  for (const auto& text : inputs) request.inputs.emplace_back(TextPrompt{text});
  request.dimensions = dimensions;
  return request;
}

EmbedRequest token_arrays(const std::vector<std::vector<std::int32_t>>& inputs) {
  EmbedRequest request;
  request.request_id = "tokens";
  for (const auto& tokens : inputs) request.inputs.emplace_back(TokenPrompt{tokens});
  return request;
}

using Outcome = std::future<absl::StatusOr<EmbedResult>>;

Outcome submit(Embedder& embedder, EmbedRequest request) {
  const auto promise = std::make_shared<std::promise<absl::StatusOr<EmbedResult>>>();
  auto outcome = promise->get_future();
  const auto status = embedder.submit(std::move(request), [promise](auto result) {
    promise->set_value(std::move(result));  // throws, and so fails, if it comes twice
  });
  if (!status.ok()) promise->set_value(status);
  return outcome;
}

std::unique_ptr<Embedder> make(FakeEmbeddingRunnerOptions runner = {},
                               EmbedderOptions options = {}) {
  return Embedder::create(options, make_fake_embedding_runner(runner), make_byte_tokenizer(),
                          kClock);
}

TEST(Embedder, GivesEachInputItsVectorInOrderAndCountsTokens) {
  const auto embedder = make();
  const auto result = submit(*embedder, texts("1", {"abc", "b", "zz"})).get();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->dimensions, 4);
  const float abc = 'a' + 'b' + 'c', b = 'b', zz = 2 * 'z';
  EXPECT_EQ(result->vectors, (std::vector<float>{abc, abc + 1, abc + 2, abc + 3, b, b + 1, b + 2,
                                                 b + 3, zz, zz + 1, zz + 2, zz + 3}));
  EXPECT_EQ(result->usage.prompt_tokens, 6);
  EXPECT_EQ(result->usage.completion_tokens, 0);
}

// A runner that takes its time by the test's clock.
TEST(Embedder, SharesItsTimeOutByTokens) {
  base::FakeClock clock;
  Gate gate;
  FakeEmbeddingRunnerOptions runner;
  int step = 0;
  runner.on_batch = [&](Batch batch) {
    if (step++ == 0) return gate.enter();
    clock.advance(std::chrono::microseconds(1000 * batch.size()));
    return absl::OkStatus();
  };
  const auto embedder =
      Embedder::create({}, make_fake_embedding_runner(runner), make_byte_tokenizer(), clock);
  clock.advance(std::chrono::microseconds(400));
  auto first = submit(*embedder, texts("first", {"a"}));
  gate.wait_entered();
  auto one = submit(*embedder, texts("1", {"aaaaaa"})), two = submit(*embedder, texts("2", {"bb"}));
  clock.advance(std::chrono::microseconds(50));
  gate.open();
  ASSERT_TRUE(first.get().ok());
  const auto whole = one.get(), part = two.get();
  ASSERT_TRUE(whole.ok() && part.ok());
  EXPECT_EQ(whole->usage.device_us, 1500);
  EXPECT_EQ(part->usage.device_us, 500);
  while (embedder->stats().step_ns < 2'050'000) std::this_thread::yield();
  clock.advance(std::chrono::microseconds(30));
  const auto stats = embedder->stats();
  EXPECT_EQ(stats.step_ns, 2'050'000);
  EXPECT_EQ(stats.step_ns + stats.idle_ns, 2'480'000);
}

TEST(Embedder, TakesTokenArraysAsTheyAre) {
  const auto embedder = make();
  const auto result = submit(*embedder, token_arrays({{1, 2}, {255}})).get();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->vectors[0], 3.0f);
  EXPECT_EQ(result->vectors[4], 255.0f);
  EXPECT_EQ(result->usage.prompt_tokens, 3);
}

TEST(Embedder, ShortensToTheWantedDimensionsAndRenormalises) {
  const auto embedder = make();
  const auto result = submit(*embedder, token_arrays({{3}})).get();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->vectors, (std::vector<float>{3, 4, 5, 6}));  // whole: as the model gives it
  auto request = token_arrays({{3}});
  request.dimensions = 2;
  const auto two = submit(*embedder, std::move(request)).get();
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(two->dimensions, 2);
  ASSERT_EQ(two->vectors.size(), 2u);
  EXPECT_NEAR(two->vectors[0], 0.6, 1e-6);
  EXPECT_NEAR(two->vectors[1], 0.8, 1e-6);
}

TEST(Embedder, RefusesBadInputsByNameAndNumber) {
  const auto embedder = make();
  const struct {
    EmbedRequest request;
    const char *named, *param;
  } cases[] = {
      {texts("a", {std::string(65, 'x')}),
       "maximum context length is 64 tokens. However, the input resulted in 65 tokens", "input"},
      {texts("b", {"fine", std::string(70, 'x')}), "input 1 resulted in 70 tokens", "input"},
      {texts("c", {"fine", ""}), "input 1 is empty", "input"},
      {texts("d", {}), "the input is empty", "input"},
      {token_arrays({{256}}), "token 256 is outside the vocabulary of 256", "input"},
      {token_arrays({{0, -1}}), "token -1", "input"},
      {texts("e", {"x"}, 5), "dimensions is 5, and this model's vectors have 4", "dimensions"},
      {texts("f", {"x"}, -1), "dimensions is -1", "dimensions"},
  };
  for (const auto& c : cases) {
    const auto result = submit(*embedder, c.request).get();
    ASSERT_TRUE(absl::IsInvalidArgument(result.status())) << c.named;
    EXPECT_NE(base::message(result.status()).find(c.named), std::string_view::npos)
        << result.status();
    EXPECT_EQ(result.status().GetPayload(protocol::kParamPayload), absl::Cord(c.param));
  }
  const auto longest = submit(*embedder, texts("g", {std::string(64, 'x')})).get();
  EXPECT_TRUE(longest.ok()) << longest.status();
}

TEST(Embedder, RefusesMoreTokensInAllThanARequestMayHave) {
  FakeEmbeddingRunnerOptions runner;
  runner.context_tokens_max = 1000;
  const auto embedder = make(runner);
  std::vector<std::string> inputs(protocol::kEmbedTokensMax / 1000, std::string(1000, 'x'));
  const auto most = submit(*embedder, texts("most", inputs)).get();
  ASSERT_TRUE(most.ok()) << most.status();
  EXPECT_EQ(most->usage.prompt_tokens, protocol::kEmbedTokensMax);
  inputs.push_back("x");
  const auto result = submit(*embedder, texts("more", inputs)).get();
  EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
}

TEST(Embedder, AnOptionLowersTheContextButNeverRaisesIt) {
  EmbedderOptions options;
  options.context_tokens = 10;
  EXPECT_EQ(make({}, options)->context_tokens(), 10);
  options.context_tokens = 1000;
  EXPECT_EQ(make({}, options)->context_tokens(), 64);
}

TEST(Embedder, StepsKeepTheirTokenBudgetAndALongerInputRunsAlone) {
  std::vector<std::vector<std::size_t>> sizes;
  FakeEmbeddingRunnerOptions runner;
  runner.on_batch = [&](Batch batch) {
    std::vector<std::size_t> step;
    for (const auto& tokens : batch) step.push_back(tokens.size());
    sizes.push_back(step);
    return absl::OkStatus();
  };
  EmbedderOptions options;
  options.step_tokens_max = 10;
  {
    const auto embedder = make(runner, options);
    const auto result =
        submit(*embedder, texts("1", {"aaaa", "bbbbb", "c", "dddddddddddddd", "ee"})).get();
    ASSERT_TRUE(result.ok()) << result.status();
  }
  EXPECT_EQ(sizes, (std::vector<std::vector<std::size_t>>{{4, 5, 1}, {14}, {2}}));
}

TEST(Embedder, AShortRequestDoesNotWaitForALongOne) {
  Gate gate;
  std::vector<int> batches_of_b;
  int batches = 0;
  FakeEmbeddingRunnerOptions runner;
  runner.on_batch = [&](Batch batch) {
    ++batches;
    for (const auto& tokens : batch) {
      if (tokens[0] == 'b') batches_of_b.push_back(batches);
    }
    return batches == 1 ? gate.enter() : absl::OkStatus();
  };
  EmbedderOptions options;
  options.step_tokens_max = 4;
  const auto embedder = make(runner, options);
  auto slow = submit(*embedder, texts("long", std::vector<std::string>(500, "aa")));
  gate.wait_entered();
  auto quick = submit(*embedder, texts("short", {"b"}));
  gate.open();
  ASSERT_TRUE(quick.get().ok());
  ASSERT_TRUE(slow.get().ok());
  EXPECT_EQ(batches_of_b, std::vector<int>{2});
  EXPECT_GE(batches, 250);
}

TEST(Embedder, WhereAStepHoldsOneInputRequestsTakeTurns) {
  Gate gate;
  std::string order;
  FakeEmbeddingRunnerOptions runner;
  runner.on_batch = [&](Batch batch) {
    for (const auto& tokens : batch) order += static_cast<char>(tokens[0]);
    return order.size() == 1 ? gate.enter() : absl::OkStatus();
  };
  EmbedderOptions options;
  options.step_tokens_max = 1;
  const auto embedder = make(runner, options);
  auto one = submit(*embedder, texts("one", {"a", "a", "a"}));
  gate.wait_entered();
  auto other = submit(*embedder, texts("other", {"b", "b", "b"}));
  gate.open();
  ASSERT_TRUE(one.get().ok());
  ASSERT_TRUE(other.get().ok());
  EXPECT_EQ(order, "aababb");
}

TEST(Embedder, ACancelledRequestLeavesBeforeTheNextStep) {
  Gate gate;
  int batches = 0;
  FakeEmbeddingRunnerOptions runner;
  runner.on_batch = [&](Batch) { return ++batches == 1 ? gate.enter() : absl::OkStatus(); };
  EmbedderOptions options;
  options.step_tokens_max = 1;
  const auto embedder = make(runner, options);
  auto doomed = submit(*embedder, texts("doomed", std::vector<std::string>(100, "a")));
  gate.wait_entered();
  embedder->cancel("doomed");
  embedder->cancel("never seen");
  gate.open();
  EXPECT_TRUE(absl::IsCancelled(doomed.get().status()));
  EXPECT_EQ(batches, 1);
  EXPECT_TRUE(submit(*embedder, texts("next", {"a"})).get().ok());
}

TEST(Embedder, AFullQueueRefusesAndTakesAgainOnceThereIsRoom) {
  Gate gate;
  FakeEmbeddingRunnerOptions runner;
  runner.on_batch = [&](Batch) { return gate.enter(); };
  EmbedderOptions options;
  options.queue_max = 2;
  options.queue_bytes_max = 100;
  const auto embedder = make(runner, options);
  EXPECT_TRUE(absl::IsResourceExhausted(
      submit(*embedder, texts("big", {std::string(60, 'x'), std::string(41, 'x')}))
          .get()
          .status()));
  auto first = submit(*embedder, texts("1", {"a"}));
  gate.wait_entered();
  auto second = submit(*embedder, texts("2", {"a"}));
  EXPECT_TRUE(absl::IsResourceExhausted(submit(*embedder, texts("3", {"a"})).get().status()));
  gate.open();
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
  EXPECT_TRUE(submit(*embedder, texts("4", {"a"})).get().ok());
}

TEST(Embedder, ARunnersErrorReachesEveryRequestOfTheStepAndNoOther) {
  int batches = 0;
  FakeEmbeddingRunnerOptions runner;
  runner.on_batch = [&](Batch) {
    return ++batches == 1 ? base::internal("broken") : absl::OkStatus();
  };
  const auto embedder = make(runner);
  EXPECT_EQ(submit(*embedder, texts("1", {"a", "b"})).get().status().code(),
            absl::StatusCode::kInternal);
  EXPECT_TRUE(submit(*embedder, texts("2", {"a"})).get().ok());
}

TEST(Embedder, EndsEveryRequestWhenItEnds) {
  Gate gate;
  FakeEmbeddingRunnerOptions runner;
  runner.on_batch = [&](Batch) { return gate.enter(); };
  EmbedderOptions options;
  options.step_tokens_max = 1;
  auto embedder = make(runner, options);
  auto running = submit(*embedder, texts("1", {"a", "b", "c"}));
  gate.wait_entered();
  auto waiting = submit(*embedder, texts("2", {"a"}));
  auto end = std::async(std::launch::async, [&] { embedder.reset(); });
  gate.open();
  end.get();
  // Whether "2" still got its turn is a race; that both end is not.
  const auto result = running.get();
  EXPECT_TRUE(result.ok() || absl::IsUnavailable(result.status())) << result.status();
  EXPECT_EQ(waiting.wait_for(std::chrono::seconds(0)), std::future_status::ready);
}

TEST(Embedder, DrainingRefusesNewRequestsAndWaitsForTheOthers) {
  Gate gate;
  FakeEmbeddingRunnerOptions runner;
  runner.on_batch = [&](Batch) { return gate.enter(); };
  const auto embedder = make(runner);
  auto running = submit(*embedder, texts("1", {"a"}));
  gate.wait_entered();
  EXPECT_EQ(embedder->stats().running, 1);
  embedder->drain(std::chrono::seconds(0));
  EXPECT_TRUE(absl::IsUnavailable(submit(*embedder, texts("2", {"a"})).get().status()));
  gate.open();
  embedder->drain(std::chrono::seconds(60));
  EXPECT_TRUE(running.get().ok());
}

}  // namespace
}  // namespace plinth::engine
