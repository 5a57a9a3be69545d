#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "engine/engine_core.h"
#include "engine/fake_runner.h"
#include "engine/limits.h"
#include "faulty_runner.h"
#include "world.h"

namespace plinth::sim {

namespace {

using engine::EngineCore;
using protocol::GenerateEvent;
using protocol::GenerateRequest;

constexpr int kEndToken = 3;

struct ChoiceRecord {
  std::string text;
  std::vector<std::pair<std::int32_t, float>> logprobs;
  std::int32_t tokens = 0;
  std::optional<protocol::FinishReason> reason;
};

// What one request received.
struct Record {
  bool admitted = false, finished = false;
  absl::Status status;
  protocol::Usage usage;
  std::map<std::int32_t, ChoiceRecord> choices;

  std::int32_t tokens() const {
    std::int32_t sum = 0;
    for (const auto& [index, choice] : choices) sum += choice.tokens;
    return sum;
  }
};

// Reads events as they come, and says what breaks their contract.
void take(const GenerateEvent& event, Record& record, const GenerateRequest& request,
          std::vector<std::string>& violations) {
  const auto violate = [&](const char* what) {
    violations.push_back(request.request_id + ": " + what);
  };
  if (record.finished) violate("an event after Finished");
  if (std::holds_alternative<protocol::Admitted>(event)) {
    if (record.admitted || !record.choices.empty()) violate("Admitted is not first");
    record.admitted = true;
  } else if (const auto* delta = std::get_if<protocol::Delta>(&event)) {
    if (!record.admitted) violate("a Delta before Admitted");
    auto& choice = record.choices[delta->index];
    if (choice.reason) violate("a Delta after its ChoiceEnd");
    choice.text += delta->text;
    choice.tokens += delta->tokens;
    for (const auto& l : delta->logprobs) {
      choice.logprobs.emplace_back(l.chosen.token, l.chosen.logprob);
      for (const auto& top : l.top) choice.logprobs.emplace_back(top.token, top.logprob);
    }
  } else if (const auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
    auto& choice = record.choices[end->index];
    if (choice.reason) violate("two ChoiceEnds");
    choice.reason = end->reason;
  } else {
    const auto& last = std::get<protocol::Finished>(event);
    record.finished = true;
    record.status = last.status;
    record.usage = last.usage;
  }
}

// A client: what it asks, and how it reads.
struct Client {
  GenerateRequest request;
  int reads_per_tick = 1000;     // events
  std::size_t unread_max = 400;  // then whoever serves it gives it up
  int patience_ticks = -1;       // then it goes away; -1 = it waits
  std::deque<GenerateEvent> unread;
  Record record;
  bool sent = false, gone = false;
  std::optional<engine::PreparedRequest> held;  // counted, and not sent yet
  int held_ticks = 0;                           // then it is
  std::int32_t promised = 0;                    // tokens that count as cached
};

class EngineWorld {
 public:
  explicit EngineWorld(std::uint64_t seed) : chance_(seed) {
    const int vocabs[] = {8, 128, 256};
    vocab_ = vocabs[chance_.pick(0, 2)];
    options_.kv_bytes =
        static_cast<std::size_t>(chance_.pick(8, chance_.one_in(2) ? 24 : 90)) * 1024;
    options_.step_tokens_max = chance_.pick(1, chance_.one_in(4) ? 16 : 200);
    options_.sequences_max = chance_.pick(1, 16);
    options_.queue_max = chance_.pick(1, 40);
    options_.prefix_cache = !chance_.one_in(4);
    options_.seed_base = chance_.bits();
    if (chance_.one_in(4)) options_.speculation = engine::Speculation::off;
    if (chance_.one_in(2)) period_ = chance_.pick(1, 12);
    apart_ = chance_.one_in(2);
    FaultyRunnerOptions faults;
    if (chance_.one_in(3)) faults = {chance_.pick(20, 200), chance_.pick(50, 400), {}, {}};
    if (chance_.one_in(2)) {
      // Speculation learns from it what a token costs: from nothing to a step of its own.
      faults.pass_time = std::chrono::microseconds(chance_.pick(0, 1000));
      faults.token_time = std::chrono::microseconds(chance_.pick(0, 50));
    }
    core_ = make_core(
        options_, make_faulty_runner(fake_runner(), faults, chance_.bits(), clock_, violations_));
    engine::EngineOptions roomy;
    roomy.context_tokens = core_->context_tokens();
    roomy.prefix_cache = false;
    roomy.speculation = engine::Speculation::off;
    solo_ = make_core(roomy, fake_runner());
  }

  Outcome run() {
    const int ticks = chance_.pick(20, 250);
    const int drain_tick = chance_.one_in(3) ? chance_.pick(0, ticks) : ticks;
    const int arrivals = chance_.pick(2, 9);  // a tick brings a request one time in so many
    for (tick_ = 0; tick_ < ticks && violations_.empty(); ++tick_) {
      if (tick_ == drain_tick) drain();
      while (chance_.one_in(arrivals)) arrive();
      tick();
    }
    if (tick_ <= drain_tick) drain();
    for (int more = 0; !core_->idle() && violations_.empty(); ++more) {
      if (more > 100'000) violate("the engine does not come to rest");
      ++tick_;
      tick();
    }
    for (auto& client : clients_) {
      if (client->held) core_->release(*client->held);
      read(*client, INT32_MAX);
    }
    settle();
    return {counts(), std::move(violations_)};
  }

 private:
  std::unique_ptr<engine::Runner> fake_runner() const {
    return engine::make_fake_runner({.vocab_size = vocab_,
                                     .context_tokens_max = 600,
                                     .prompts_apart = apart_,
                                     .period = period_});
  }
  std::unique_ptr<EngineCore> make_core(const engine::EngineOptions& options,
                                        std::unique_ptr<engine::Runner> runner) {
    return *EngineCore::create(options, std::move(runner), engine::make_byte_tokenizer(kEndToken),
                               nullptr, clock_);
  }
  void violate(const std::string& what) { violations_.push_back(what); }

  std::string bytes(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += static_cast<char>(chance_.pick(0, vocab_ - 1));
    return text;
  }

  GenerateRequest any_request() {
    GenerateRequest request;
    request.request_id = "r" + std::to_string(clients_.size());
    // Few stems, so that prefixes meet.
    std::string text = std::string(static_cast<std::size_t>(chance_.pick(0, 90)),
                                   static_cast<char>(chance_.pick(4, 6))) +
                       bytes(chance_.pick(0, 40));
    request.prompt = protocol::TextPrompt{text};
    if (!chance_.one_in(30)) request.max_tokens = chance_.pick(0, chance_.one_in(3) ? 150 : 30);
    request.n = chance_.one_in(4) ? chance_.pick(1, 5) : 1;
    auto& sampling = request.sampling;
    sampling.seed = chance_.bits();
    sampling.temperature = chance_.one_in(4) ? 0 : chance_.real(0.1, 1.5);
    if (chance_.one_in(3)) sampling.top_p = chance_.real(0.1, 1);
    if (chance_.one_in(5)) sampling.top_k = chance_.pick(1, 20);
    if (chance_.one_in(5)) sampling.frequency_penalty = chance_.real(-1, 1);
    if (chance_.one_in(5)) sampling.repetition_penalty = chance_.real(0.8, 1.3);
    for (int i = chance_.one_in(3) ? chance_.pick(1, 4) : 0; i > 0; --i) {
      const auto stop = bytes(chance_.pick(1, 3));
      if ((static_cast<unsigned char>(stop[0]) & 0xC0) != 0x80) request.stop.push_back(stop);
    }
    request.ignore_eos = chance_.one_in(4);
    request.logprobs = chance_.one_in(3);
    request.top_logprobs = request.logprobs ? chance_.pick(0, 3) : 0;
    request.echo = chance_.one_in(5);
    request.prompt_logprobs = request.echo && request.logprobs;
    request.ignore_prefix_cache = chance_.one_in(8);
    request.cache_salt = std::to_string(chance_.pick(0, 2));
    request.tenant = request.cache_salt;
    request.tenant_weight = chance_.pick(1, 5);
    if (chance_.one_in(5)) request.service_class = protocol::ServiceClass::batch;
    if (chance_.one_in(40)) request.n = 0;
    if (chance_.one_in(40)) request.max_tokens = 100'000;
    return request;
  }

  void arrive() {
    auto& client = *clients_.emplace_back(std::make_unique<Client>());
    client.request = any_request();
    if (chance_.one_in(5)) client.reads_per_tick = chance_.pick(0, 2);
    if (chance_.one_in(5)) client.unread_max = static_cast<std::size_t>(chance_.pick(1, 20));
    if (chance_.one_in(5)) client.patience_ticks = chance_.pick(0, 60);
    client.request.held = chance_.one_in(2);
    auto prepared = core_->prepare(client.request);
    if (!client.request.held) return send(client, std::move(prepared));
    client.held = std::move(prepared);
    client.held_ticks = chance_.pick(0, chance_.one_in(8) ? 200 : 6);
  }

  // Once it is admitted; or it never is, and its end may be forgotten.
  void commit(Client& client) {
    auto prepared = *std::exchange(client.held, std::nullopt);
    if (chance_.one_in(6)) {
      if (chance_.one_in(2)) core_->release(prepared);
      return;
    }
    const auto wanted = prepared.pin.tokens;
    if (!chance_.one_in(10)) core_->redeem(prepared);
    if (prepared.pin.redeemed) client.promised = prepared.pin.tokens;
    (client.promised < wanted ? lost_pins_ : kept_pins_) += wanted > 0 ? 1 : 0;
    send(client, std::move(prepared));
  }

  void send(Client& client, engine::PreparedRequest prepared) {
    const auto status =
        core_->add(std::move(prepared), [&client](std::vector<GenerateEvent> events) {
          for (auto& event : events) client.unread.push_back(event);
        });
    client.sent = status.ok();
    if (status.ok() && draining_) violate("a request was taken while draining");
    if (absl::IsResourceExhausted(status)) {
      ++refused_;
      if (core_->stats().waiting + std::max(client.request.n, 1) <= options_.queue_max)
        violate("refused with room in the queue");
    } else if (!status.ok() && !draining_) {
      violate("refused: " + status.ToString());
    }
  }

  void drain() {
    if (draining_) return;
    draining_ = true;
    deadline_ = clock_.now() + std::chrono::milliseconds(chance_.pick(0, 4000));
    core_->drain(deadline_);
  }

  void tick() {
    core_->step();
    clock_.advance(std::chrono::milliseconds(chance_.pick(1, 50)));
    const auto stats = core_->stats();
    if (stats.running > std::min(options_.sequences_max, options_.step_tokens_max))
      violate("more sequences run than may");
    if (stats.waiting > std::max(options_.queue_max, 5) + options_.sequences_max)
      violate("the queue has no bound");
    if (stats.blocks_free < 0 || stats.blocks_cached < 0 ||
        stats.blocks_free + stats.blocks_cached > stats.blocks_total)
      violate("the pages do not add up");
    if (stats.blocks_pinned < 0 || stats.blocks_pinned > stats.blocks_total / engine::kPinnedShare)
      violate("more pages are pinned than may be");
    for (auto& client : clients_) {
      if (client->held && --client->held_ticks < 0) commit(*client);
      if (!client->sent || client->gone) continue;
      read(*client, client->reads_per_tick);
      if (client->record.finished) continue;
      const bool late = client->patience_ticks >= 0 && --client->patience_ticks < 0;
      if (late || client->unread.size() > client->unread_max) {
        client->gone = true;
        core_->cancel(client->request.request_id);
      }
    }
    if (draining_ && clock_.now() > deadline_ + std::chrono::milliseconds(100) && !core_->idle())
      violate("requests outlive the drain");
  }

  void read(Client& client, int events) {
    for (; events > 0 && !client.unread.empty(); --events) {
      take(client.unread.front(), client.record, client.request, violations_);
      client.unread.pop_front();
    }
  }

  // Every request against itself alone.
  void settle() {
    const auto stats = core_->stats();
    if (stats.blocks_free + stats.blocks_cached != stats.blocks_total) violate("a page leaked");
    if (stats.running + stats.waiting != 0) violate("a sequence was left over");
    std::int64_t tokens = 0;
    auto age = stats.idle_ns;
    for (const auto& client : clients_) {
      if (!client->sent) continue;
      const auto& record = client->record;
      tokens += record.usage.completion_tokens;
      age += record.usage.device_us * 1000;
      if (!record.finished) violate(client->request.request_id + ": no Finished");
      if (violations_.empty()) compare(*client);
    }
    if (violations_.empty() && tokens != stats.completion_tokens)
      violate("the usages do not add up to the engine's tokens");
    const auto elapsed = std::chrono::nanoseconds(clock_.now() - start_).count();
    if (std::abs(elapsed - age) > elapsed / 1000)
      violate("device and idle time do not add up to the engine's age");
    check_no_pin_left();
  }

  // Leases that nobody gave up end by themselves.
  void check_no_pin_left() {
    clock_.advance(engine::kPinLease);
    GenerateRequest request;
    request.prompt = protocol::TextPrompt{std::string(20, '\4')};  // in every vocabulary
    request.max_tokens = 1;
    request.held = true;
    auto prepared = core_->prepare(request);
    core_->release(prepared);
    if (core_->stats().blocks_pinned != 0) violate("a pin was left over");
  }

  void compare(const Client& client) {
    const auto& id = client.request.request_id;
    const Record& record = client.record;
    Record alone;
    (void)solo_->add(solo_->prepare(client.request), [&](const std::vector<GenerateEvent>& events) {
      for (const auto& event : events) take(event, alone, client.request, violations_);
    });
    while (!solo_->idle()) solo_->step();
    if (record.status.code() == absl::StatusCode::kInvalidArgument || !alone.status.ok()) {
      ++invalid_;
      if (record.status != alone.status && record.status.ok())
        violate(id + ": refused alone, but not in company");
      return;
    }
    if (record.status.ok()) {
      ++finished_;
      if (record.tokens() != record.usage.completion_tokens)
        violate(id + ": the deltas do not add up to the usage");
      if (record.usage.completion_tokens != alone.usage.completion_tokens ||
          record.usage.prompt_tokens != alone.usage.prompt_tokens)
        violate(id + ": another usage than alone");
    } else {
      ++ended_early_;
    }
    if (record.admitted && record.usage.cached_tokens < client.promised)
      violate(id + ": less was cached than was pinned");
    if (record.usage.cached_tokens >= std::max(record.usage.prompt_tokens, 1))
      violate(id + ": the whole prompt was cached");
    cached_ += record.usage.cached_tokens;
    for (const auto& [index, choice] : record.choices) {
      const auto& expected = alone.choices[index];
      const bool whole = choice.reason.has_value();
      stopped_ += choice.reason == protocol::FinishReason::stop ? 1 : 0;
      const auto text = whole ? expected.text : expected.text.substr(0, choice.text.size());
      if (choice.text != text || (whole && choice.reason != expected.reason))
        violate(fmt::format("{} choice {}: another text than alone", id, index));
      auto logprobs = expected.logprobs;
      if (!whole) logprobs.resize(std::min(logprobs.size(), choice.logprobs.size()));
      if (choice.logprobs != logprobs)
        violate(fmt::format("{} choice {}: other log-probabilities than alone", id, index));
    }
    if (record.status.ok() && record.choices.size() != alone.choices.size())
      violate(id + ": a choice is missing");
  }

  std::map<std::string, std::int64_t> counts() const {
    const auto stats = core_->stats();
    return {{"requests", static_cast<std::int64_t>(clients_.size())},
            {"finished", finished_},
            {"ended early", ended_early_},
            {"invalid", invalid_},
            {"refused", refused_},
            {"steps", stats.steps},
            {"failed steps", stats.step_failures},
            {"tokens", stats.completion_tokens},
            {"cached tokens", cached_},
            {"stopped", stopped_},
            {"preemptions", stats.preemptions},
            {"evictions", stats.cache_evictions},
            {"kept pins", kept_pins_},
            {"lost pins", lost_pins_},
            {"broken pins", stats.pins_broken},
            {"accepted drafts", stats.accepted_tokens},
            {"wrong drafts", stats.drafted_tokens - stats.accepted_tokens}};
  }

  Chance chance_;
  base::FakeClock clock_;
  const base::TimePoint start_ = clock_.now();
  std::vector<std::string> violations_;
  std::int32_t vocab_ = 256, period_ = 0;
  bool apart_ = false;  // prompts are computed apart
  engine::EngineOptions options_;
  std::unique_ptr<EngineCore> core_, solo_;
  std::vector<std::unique_ptr<Client>> clients_;
  int tick_ = 0;
  bool draining_ = false;
  base::TimePoint deadline_{};
  int finished_ = 0, ended_early_ = 0, invalid_ = 0, refused_ = 0, stopped_ = 0;
  int kept_pins_ = 0, lost_pins_ = 0;
  std::int64_t cached_ = 0;
};

}  // namespace

Outcome run_engine_world(std::uint64_t seed) { return EngineWorld(seed).run(); }

}  // namespace plinth::sim
