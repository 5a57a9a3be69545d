// For tests: an EngineCore that is stepped by hand, and what its requests received.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine_core.h"
#include "engine/fake_runner.h"

namespace plinth::engine {

struct ChoiceResult {
  std::string text;
  std::vector<std::int32_t> reported;  // tokens with log-probabilities
  std::vector<float> logprobs;         // theirs, and those of the best beside them
  std::int32_t tokens = 0;             // as the deltas count them
  protocol::FinishReason reason = protocol::FinishReason::none;
  bool operator==(const ChoiceResult&) const = default;
};

struct Result {
  std::map<std::int32_t, ChoiceResult> choices;
  std::optional<protocol::Admitted> admitted;
  absl::Status status = absl::UnknownError("not finished");
  protocol::Usage usage;
  bool finished = false;

  // Takes events in order, and holds them to the contract of protocol/generate.h.
  void take(const std::vector<protocol::GenerateEvent>& events) {
    for (const auto& event : events) {
      EXPECT_FALSE(finished) << "an event after the last";
      if (const auto* first = std::get_if<protocol::Admitted>(&event)) {
        EXPECT_FALSE(admitted.has_value()) << "admitted twice";
        EXPECT_TRUE(choices.empty()) << "admitted late";
        admitted = *first;
      } else if (const auto* delta = std::get_if<protocol::Delta>(&event)) {
        auto& choice = choices[delta->index];
        EXPECT_EQ(choice.reason, protocol::FinishReason::none) << "a delta after the choice's end";
        choice.text += delta->text;
        choice.tokens += delta->tokens;
        for (const auto& position : delta->logprobs) {
          choice.reported.push_back(position.chosen.token);
          choice.logprobs.push_back(position.chosen.logprob);
          for (const auto& best : position.top) choice.logprobs.push_back(best.logprob);
        }
      } else if (const auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
        choices[end->index].reason = end->reason;
      } else {
        const auto& last = std::get<protocol::Finished>(event);
        finished = true;
        status = last.status;
        usage = last.usage;
      }
    }
  }
};

class SteppedEngine {
 public:
  explicit SteppedEngine(const EngineOptions& options, std::unique_ptr<Runner> runner = nullptr,
                         std::unique_ptr<model::Tokenizer> tokenizer = nullptr) {
    if (runner == nullptr) runner = make_fake_runner({});
    if (tokenizer == nullptr) tokenizer = make_byte_tokenizer();
    auto made =
        EngineCore::create(options, std::move(runner), std::move(tokenizer), nullptr, clock_);
    EXPECT_TRUE(made.ok()) << made.status();
    core_ = *std::move(made);
  }

  EngineCore& core() { return *core_; }
  base::FakeClock& clock() { return clock_; }
  std::map<std::string, Result>& results() { return results_; }

  absl::Status add(const protocol::GenerateRequest& request) {
    return core_->add(core_->prepare(request),
                      [this, id = request.request_id](std::vector<protocol::GenerateEvent> events) {
                        results_[id].take(events);
                      });
  }
  void run_until_idle(int steps_max = 100'000) {
    while (!core_->idle() && steps_max-- > 0) core_->step();
    EXPECT_TRUE(core_->idle()) << "a request does not end";
  }
  Result run(const protocol::GenerateRequest& request) {
    results_.erase(request.request_id);
    EXPECT_TRUE(add(request).ok());
    run_until_idle();
    return results_[request.request_id];
  }
  // With no request left, every page is free or kept for its content.
  void expect_no_page_held() const {
    const auto stats = core_->stats();
    EXPECT_EQ(stats.blocks_free + stats.blocks_cached, stats.blocks_total);
  }

 private:
  base::FakeClock clock_;
  std::unique_ptr<EngineCore> core_;
  std::map<std::string, Result> results_;
};

inline protocol::GenerateRequest text_request(const std::string& id, const std::string& prompt,
                                              std::int32_t max_tokens, std::uint64_t seed = 1) {
  protocol::GenerateRequest request;
  request.request_id = id;
  request.prompt = protocol::TextPrompt{prompt};
  request.max_tokens = max_tokens;
  request.sampling.seed = seed;
  return request;
}

}  // namespace plinth::engine
