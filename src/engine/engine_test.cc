#include "engine/engine.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "engine/fake_runner.h"

namespace plinth::engine {
namespace {

using protocol::GenerateRequest;

struct Result {
  std::map<std::int32_t, std::string> text;
  std::map<std::int32_t, protocol::FinishReason> reason;
  std::vector<protocol::PositionLogprobs> logprobs;
  protocol::Usage usage;
  absl::Status status;
  int finished = 0;
  bool operator==(const Result& other) const { return text == other.text; }
};

// Collects the events of many requests; wait() ends when all have finished.
class Collector {
 public:
  EventSink sink(const std::string& id) {
    return [this, id](std::vector<protocol::GenerateEvent> events) {
      std::lock_guard lock(mutex_);
      Result& r = results_[id];
      for (auto& event : events) {
        EXPECT_EQ(r.finished, 0) << "an event after the last";
        if (auto* delta = std::get_if<protocol::Delta>(&event)) {
          r.text[delta->index] += delta->text;
          for (auto& l : delta->logprobs) r.logprobs.push_back(std::move(l));
        } else if (auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
          r.reason[end->index] = end->reason;
        } else if (auto* last = std::get_if<protocol::Finished>(&event)) {
          r.usage = last->usage;
          r.status = last->status;
          ++r.finished;
          ++finished_;
        }
      }
      changed_.notify_all();
    };
  }
  std::map<std::string, Result> wait(int count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(
        changed_.wait_for(lock, std::chrono::seconds(60), [&] { return finished_ >= count; }));
    return results_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Result> results_;
  int finished_ = 0;
};

class EngineTest : public ::testing::Test {
 protected:
  std::unique_ptr<Engine> make(EngineOptions options, std::int32_t context = 4096) {
    auto engine = Engine::create(options, make_fake_runner({256, context}), make_byte_tokenizer(),
                                 nullptr, clock_);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return *std::move(engine);
  }
  static GenerateRequest request(const std::string& id, const std::string& prompt, int max_tokens) {
    GenerateRequest r;
    r.request_id = id;
    r.prompt = protocol::TextPrompt{prompt};
    r.max_tokens = max_tokens;
    r.sampling.seed = std::hash<std::string>()(prompt);
    return r;
  }
  Result run(Engine& engine, GenerateRequest r) {
    Collector collector;
    EXPECT_TRUE(engine.submit(r, collector.sink("x")).ok());
    return collector.wait(1)["x"];
  }
  base::FakeClock clock_;
};

// Promise 3: the same request and seed give the same text alone, in any mix, with few pages (and so
// preempted), and for any step budget.
TEST_F(EngineTest, SameSeedGivesTheSameTextWhateverElseRuns) {
  std::mt19937 random(20240601);
  std::vector<GenerateRequest> requests;
  std::map<std::string, std::map<std::int32_t, std::string>> alone;
  auto single = make({});
  for (int i = 0; i < 24; ++i) {
    auto r =
        request("r" + std::to_string(i), std::string(1 + random() % 90, static_cast<char>('a' + i)),
                1 + static_cast<int>(random() % 60));
    r.n = 1 + static_cast<int>(random() % 3);
    r.sampling.temperature = i % 4 == 0 ? 0.0 : 0.9;
    r.sampling.top_p = i % 3 == 0 ? 0.8 : 1.0;
    r.sampling.frequency_penalty = i % 5 == 0 ? 0.5 : 0.0;
    requests.push_back(r);
    alone[r.request_id] = run(*single, r).text;
  }
  for (const int pages : {12, 40, 500}) {
    for (const int budget : {7, 64, 512}) {
      EngineOptions options;
      options.kv_bytes = static_cast<std::size_t>(pages) * 1024;
      options.step_tokens_max = budget;
      auto engine = make(options);
      Collector collector;
      std::shuffle(requests.begin(), requests.end(), random);
      for (const auto& r : requests)
        ASSERT_TRUE(engine->submit(r, collector.sink(r.request_id)).ok());
      for (const auto& [id, result] : collector.wait(24)) {
        ASSERT_TRUE(result.status.ok()) << result.status;
        EXPECT_EQ(result.text, alone[id]) << id << " pages " << pages << " budget " << budget;
      }
      engine->drain(std::chrono::seconds(10));
      const auto stats = engine->stats();
      EXPECT_EQ(stats.blocks_free + stats.blocks_cached, stats.blocks_total);
      if (pages == 12) {
        EXPECT_GT(stats.preemptions, 0);
      }
    }
  }
}

TEST_F(EngineTest, UsageCountsEveryChoiceAndThePromptOnce) {
  auto engine = make({});
  auto r = request("a", "hello", 7);
  r.n = 3;
  const auto result = run(*engine, r);
  EXPECT_EQ(result.usage.prompt_tokens, 5);
  EXPECT_EQ(result.usage.completion_tokens, 21);
  EXPECT_EQ(result.text.size(), 3u);
  EXPECT_NE(result.text.at(0), result.text.at(1));
  for (const auto& [index, reason] : result.reason)
    EXPECT_EQ(reason, protocol::FinishReason::length);
}

TEST_F(EngineTest, StopTextIsNeverReturned) {
  auto engine = make({});
  auto r = request("a", "stop here", 60);
  r.sampling.temperature = 0;
  r.sampling.logit_bias.clear();
  const std::string whole = run(*engine, r).text.at(0);
  ASSERT_GE(whole.size(), 20u);
  r.stop = {"never", whole.substr(9, 6)};
  const auto result = run(*engine, r);
  EXPECT_EQ(result.text.at(0), whole.substr(0, whole.find(r.stop[1])));
  EXPECT_EQ(result.reason.at(0), protocol::FinishReason::stop);
}

TEST_F(EngineTest, ContextLengthIsRefusedWithBothNumbers) {
  auto engine = make({}, 64);
  const auto result = run(*engine, request("a", std::string(50, 'x'), 20));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(result.status.GetPayload(protocol::kCodePayload), "context_length_exceeded");
  const auto text = base::message(result.status);
  EXPECT_NE(text.find("64 tokens"), std::string_view::npos) << text;
  EXPECT_NE(text.find("70 tokens"), std::string_view::npos) << text;
  EXPECT_TRUE(run(*engine, request("b", std::string(50, 'x'), 14)).status.ok());
}

TEST_F(EngineTest, CancelFreesThePagesAndAFullQueueIsRefused) {
  EngineOptions options;
  options.sequences_max = 1;
  options.queue_max = 2;
  auto engine = make(options, 1 << 20);
  Collector collector;
  ASSERT_TRUE(engine->submit(request("long", "a", 4000), collector.sink("long")).ok());
  int accepted = 1;
  absl::Status refused;
  for (int i = 0; i < 50 && refused.ok(); ++i) {
    const std::string id = "w" + std::to_string(i);
    refused = engine->submit(request(id, "b", 4000), collector.sink(id));
    accepted += refused.ok() ? 1 : 0;
  }
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  engine->cancel("long");
  for (int i = 0; i < 50; ++i) engine->cancel("w" + std::to_string(i));
  const auto results = collector.wait(accepted);
  for (const auto& [id, result] : results) EXPECT_EQ(result.finished, 1) << id;
  engine->drain(std::chrono::seconds(10));
  const auto stats = engine->stats();
  EXPECT_EQ(stats.blocks_free + stats.blocks_cached, stats.blocks_total);
}

TEST_F(EngineTest, EchoWithLogprobsCoversThePromptAndTheFirstHasNone) {
  auto engine = make({});
  auto r = request("a", "abcdef", 0);
  r.echo = r.prompt_logprobs = r.logprobs = true;
  r.top_logprobs = 2;
  const auto result = run(*engine, r);
  EXPECT_EQ(result.text.at(0), "abcdef");
  ASSERT_EQ(result.logprobs.size(), 6u);
  EXPECT_FALSE(result.logprobs[0].chosen.has_logprob);
  EXPECT_EQ(result.logprobs[5].chosen.token, 'f');
  EXPECT_EQ(result.logprobs[5].top.size(), 2u);
  EXPECT_EQ(result.usage.completion_tokens, 0);
}

TEST_F(EngineTest, ASinkMayCallTheEngine) {
  auto engine = make({});
  Collector collector;
  const auto last = collector.sink("second");
  ASSERT_TRUE(engine
                  ->submit(request("first", "a", 4000),
                           [&, first = collector.sink("first"),
                            done = false](std::vector<protocol::GenerateEvent> events) mutable {
                             first(std::move(events));
                             if (std::exchange(done, true)) return;
                             (void)engine->stats();
                             engine->cancel("first");
                             EXPECT_TRUE(engine->submit(request("second", "b", 3), last).ok());
                           })
                  .ok());
  const auto results = collector.wait(2);
  EXPECT_EQ(results.at("first").status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(results.at("second").status.ok());
}

TEST_F(EngineTest, DrainEndsWhatOutlivesItsGraceAndRefusesTheNew) {
  auto engine = make({});
  Collector collector;
  ASSERT_TRUE(engine->submit(request("long", "a", 4000), collector.sink("long")).ok());
  engine->drain(base::Duration(0));
  EXPECT_EQ(collector.wait(1).at("long").status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(engine->submit(request("new", "a", 1), collector.sink("new")).code(),
            absl::StatusCode::kUnavailable);
}

// A heartbeat that fell would be taken for another worker's.
TEST_F(EngineTest, IdleTimeGoesOnWhileItWaitsAndIsNeverTakenBack) {
  const auto engine = make({});
  const auto idle_reaches = [&](std::chrono::seconds wanted) {
    // The loop comes to rest a moment after the last event.
    while (std::chrono::nanoseconds(engine->stats().idle_ns) < wanted) std::this_thread::yield();
    EXPECT_EQ(std::chrono::nanoseconds(engine->stats().idle_ns), wanted);
  };
  idle_reaches(std::chrono::seconds(0));
  clock_.advance(std::chrono::seconds(5));
  idle_reaches(std::chrono::seconds(5));
  // The step waits in the sink, after the loop has taken its mail.
  std::mutex mutex;
  std::condition_variable changed;
  bool entered = false, go_on = false;
  const auto sink = [&](const std::vector<protocol::GenerateEvent>&) {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [&] { return go_on; });
  };
  ASSERT_TRUE(engine->submit(request("a", "hello", 2), sink).ok());
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return entered; });
  }
  EXPECT_EQ(engine->stats().idle_ns, std::chrono::nanoseconds(std::chrono::seconds(5)).count());
  clock_.advance(std::chrono::seconds(3));
  EXPECT_EQ(engine->stats().idle_ns, std::chrono::nanoseconds(std::chrono::seconds(5)).count());
  {
    std::lock_guard lock(mutex);
    go_on = true;
    changed.notify_all();
  }
  engine->drain(std::chrono::hours(1));  // which ends it by itself
  clock_.advance(std::chrono::seconds(1));
  idle_reaches(std::chrono::seconds(6));
  EXPECT_EQ(std::chrono::nanoseconds(engine->stats().step_ns), std::chrono::seconds(3));
}

}  // namespace
}  // namespace plinth::engine
