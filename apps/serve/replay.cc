#include "apps/serve/replay.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <list>
#include <mutex>
#include <thread>

#include "apps/chat_client.h"
#include "apps/serve/limits.h"
#include "apps/serve/load_math.h"

namespace plinth::serve {

namespace {

using Clock = std::chrono::steady_clock;

Clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::int64_t number_at(const base::json::value& value, std::initializer_list<const char*> path) {
  const auto* at = &value;
  for (const char* name : path) {
    const auto* object = at->if_object();
    at = object == nullptr ? nullptr : object->if_contains(name);
    if (at == nullptr) return 0;
  }
  return at->is_int64() ? at->get_int64() : 0;
}

// Seeds of prompts lie apart, so that no two conversations share a prefix.
constexpr std::uint64_t kTurnSeeds = 1000;
static_assert(kTurnSeeds > kTurnsMax);
// What a service takes is a signed number.
constexpr std::uint64_t kSeedMax = ~std::uint64_t{0} >> 1;

class Caller {
 public:
  Caller(const ServiceConnection& service, const ReplayOptions& options)
      : service_(service), options_(options) {}

  // One conversation, from when it is due to its last answer.
  std::vector<Outcome> converse(const Conversation& conversation, std::uint64_t index,
                                Clock::time_point due) const {
    std::vector<Outcome> outcomes;
    base::json::array messages;
    for (std::size_t i = 0; i < conversation.turns.size(); ++i) {
      const auto& turn = conversation.turns[i];
      Outcome outcome;
      outcome.tenant = conversation.tenant;
      outcome.tokens_asked = turn.max_tokens;
      if (!outcomes.empty() && !outcomes.back().answered()) {
        outcome.error = "not sent: the turn before had no answer";
      } else {
        if (i > 0) due += duration_of(outcomes.back().whole_s + turn.think_s);
        std::this_thread::sleep_until(due);
        const auto seed = (options_.seed + index) * kTurnSeeds + i;
        const auto text =
            turn.copy ? copying_prompt(seed, turn.words) : synthetic_prompt(seed, turn.words);
        messages.push_back({{"role", "user"}, {"content", text}});
        ask(turn, seed, due, messages, outcome);
      }
      outcomes.push_back(std::move(outcome));
    }
    return outcomes;
  }

 private:
  void ask(const Turn& turn, std::uint64_t seed, Clock::time_point due, base::json::array& messages,
           Outcome& outcome) const {
    base::json::object parameters{
        {"max_tokens", turn.max_tokens}, {"seed", seed & kSeedMax}, {"user", outcome.tenant}};
    if (options_.temperature >= 0) parameters["temperature"] = options_.temperature;
    if (options_.ignore_eos) parameters["ignore_eos"] = true;
    const auto late = Clock::now() + duration_of(options_.timeout_s);
    std::vector<Clock::time_point> pieces;
    ChatSinks sinks;
    sinks.text = [&](std::string_view) { pieces.push_back(Clock::now()); };
    sinks.stop = [&] { return Clock::now() >= late; };
    const auto answer = stream_chat(service_, messages, parameters, sinks);
    outcome.whole_s = seconds_between(due, Clock::now());
    if (!answer.ok()) {
      outcome.error = std::string(base::message(answer.status()));
    } else if (answer->stopped) {
      outcome.error = fmt::format("no whole answer within {:g} s", options_.timeout_s);
    }
    if (!outcome.answered()) return;
    outcome.first_token_s = pieces.empty() ? outcome.whole_s : seconds_between(due, pieces.front());
    for (std::size_t i = 1; i < pieces.size(); ++i) {
      outcome.gaps_s.push_back(seconds_between(pieces[i - 1], pieces[i]));
    }
    outcome.prompt_tokens = number_at(answer->usage, {"prompt_tokens"});
    outcome.cached_tokens = number_at(answer->usage, {"prompt_tokens_details", "cached_tokens"});
    outcome.completion_tokens = number_at(answer->usage, {"completion_tokens"});
    messages.push_back({{"role", "assistant"}, {"content", answer->text}});
  }

  const ServiceConnection& service_;
  const ReplayOptions& options_;
};

struct OpenConversation {
  std::atomic<bool> over{false};
  std::jthread thread;  // last: joined before the rest goes
};

std::vector<Outcome> unsent(const Conversation& conversation) {
  std::vector<Outcome> outcomes;
  for (const auto& turn : conversation.turns) {
    Outcome outcome;
    outcome.tenant = conversation.tenant;
    outcome.tokens_asked = turn.max_tokens;
    outcome.error = fmt::format("not sent: {} conversations are open", kOpenMax);
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

}  // namespace

Replay replay(const Workload& workload, const ServiceConnection& service,
              const ReplayOptions& options) {
  const Caller caller(service, options);
  Replay result;
  std::mutex mutex;  // protects result.outcomes
  const auto keep = [&](std::vector<Outcome> outcomes) {
    std::lock_guard lock(mutex);
    for (auto& outcome : outcomes) result.outcomes.push_back(std::move(outcome));
  };
  const auto started = Clock::now();
  std::list<OpenConversation> open;
  for (std::size_t i = 0; i < workload.size(); ++i) {
    const auto due = started + duration_of(workload[i].at_s);
    std::this_thread::sleep_until(due);
    // A thread that is not joined keeps its stack.
    open.remove_if([](const OpenConversation& one) { return one.over.load(); });
    if (open.size() >= kOpenMax) {
      keep(unsent(workload[i]));
      continue;
    }
    auto& one = open.emplace_back();
    one.thread = std::jthread([&, i, due] {
      keep(caller.converse(workload[i], i, due));
      one.over = true;
    });
    if (options.progress) options.progress(i + 1, open.size());
  }
  open.clear();
  result.wall_s = seconds_between(started, Clock::now());
  return result;
}

}  // namespace plinth::serve
