#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/clock.h"
#include "engine/engine_core.h"
#include "engine/fake_runner.h"
#include "faulty_runner.h"
#include "world.h"

namespace plinth::sim {

namespace {

using engine::EngineCore;
using protocol::GenerateEvent;
using protocol::GenerateRequest;

constexpr int kBlockBytes = 1024;  // the fake runner's
constexpr int kBlockTokens = 16;

enum class State : std::uint8_t { waits, begun, writes };

// What one of them asks, and what it got.
struct Tenant {
  std::int32_t weight = 1;
  protocol::ServiceClass service_class = protocol::ServiceClass::standard;
  int prompt_max = 1, output_max = 1;
  int waiting = 0;    // requests that are not admitted
  double served = 0;  // costs over weight
};

class FairnessWorld {
 public:
  explicit FairnessWorld(std::uint64_t seed) : chance_(seed) {
    blocks_ = chance_.pick(16, 60);
    options_.kv_bytes = static_cast<std::size_t>(blocks_) * kBlockBytes;
    options_.step_tokens_max = chance_.pick(8, blocks_ * kBlockTokens / 4);
    options_.sequences_max = chance_.pick(1, 12);
    options_.queue_max = 1 << 20;
    options_.prefix_cache = !chance_.one_in(4);
    options_.seed_base = chance_.bits();
    options_.prompt_token_cost = chance_.pick(1, 2);
    options_.output_token_cost = chance_.pick(1, 4);
    FaultyRunnerOptions faults;
    faults.pass_time = std::chrono::microseconds(chance_.pick(1, 1000));
    faults.token_time = std::chrono::microseconds(chance_.pick(1, 50));
    auto runner = engine::make_fake_runner({.vocab_size = 64, .context_tokens_max = 400});
    core_ = *EngineCore::create(
        options_,
        make_faulty_runner(std::move(runner), faults, chance_.bits(), clock_, violations_),
        engine::make_byte_tokenizer(), nullptr, clock_);
    const int pool = blocks_ * kBlockTokens;
    for (int i = chance_.pick(2, 4); i > 0; --i) {
      tenants_.push_back({chance_.pick(1, 4), protocol::ServiceClass::standard, chance_.pick(1, 40),
                          chance_.pick(1, std::min(pool / 3, 200))});
    }
    backlogged_ = tenants_.size();
    // One of the batch class, and one that comes now and then.
    tenants_.push_back({1, protocol::ServiceClass::batch, 20, 20});
    tenants_.push_back({1, protocol::ServiceClass::standard, 20, 10});
    least_.resize(backlogged_ * backlogged_);
    most_.resize(backlogged_ * backlogged_);
  }

  Outcome run() {
    ask(batch());
    for (int steps = 0; steps < 1500 && violations_.empty(); ++steps) {
      for (std::size_t i = 0; i < backlogged_; ++i) {
        while (tenants_[i].waiting <= options_.sequences_max) ask(i);
      }
      if (tenants_[rare()].waiting == 0 && chance_.one_in(40)) ask(rare());
      if (chance_.one_in(50)) cancel_any();
      step();
      compare();
    }
    if (tenants_[batch()].waiting == 0 && violations_.empty())
      violations_.emplace_back("batch came before the standard class");
    end();
    return {counts(), std::move(violations_)};
  }

 private:
  std::size_t batch() const { return backlogged_; }
  std::size_t rare() const { return backlogged_ + 1; }

  void ask(std::size_t index) {
    Tenant& tenant = tenants_[index];
    GenerateRequest request;
    const auto number = static_cast<std::size_t>(asked_++);
    states_.push_back(State::waits);
    request.request_id = std::to_string(number);
    // Prompts of one stem, so that some of it is found in the cache.
    const int length = chance_.pick(1, tenant.prompt_max);
    std::string prompt(static_cast<std::size_t>(chance_.pick(0, length)), static_cast<char>(5));
    while (static_cast<int>(prompt.size()) < length)
      prompt += static_cast<char>(chance_.pick(0, 63));
    request.prompt = protocol::TextPrompt{prompt};
    request.max_tokens = chance_.pick(1, tenant.output_max);
    request.sampling.seed = chance_.bits();
    request.tenant = fmt::format("t{}", index);
    request.cache_salt = request.tenant;
    request.tenant_weight = tenant.weight;
    request.service_class = tenant.service_class;
    ++tenant.waiting;
    const auto status =
        core_->add(core_->prepare(request),
                   [this, index, number, at = steps_](const std::vector<GenerateEvent>& events) {
                     for (const auto& event : events) take(index, event, states_[number], at);
                   });
    if (!status.ok()) violations_.push_back("refused: " + status.ToString());
  }

  void take(std::size_t index, const GenerateEvent& event, State& state, std::int64_t asked_at) {
    Tenant& tenant = tenants_[index];
    double cost = 0;
    if (const auto* first = std::get_if<protocol::Admitted>(&event)) {
      state = State::begun;
      --tenant.waiting;
      cost = options_.prompt_token_cost * (first->prompt_tokens - first->cached_tokens);
      if (index == rare()) longest_wait_ = std::max(longest_wait_, steps_ - asked_at);
    } else if (const auto* delta = std::get_if<protocol::Delta>(&event)) {
      state = State::writes;
      cost = options_.output_token_cost * delta->tokens;
    } else if (std::holds_alternative<protocol::Finished>(event)) {
      if (state == State::waits) --tenant.waiting;
      ++finished_;
      device_us_ += std::get<protocol::Finished>(event).usage.device_us;
    }
    tenant.served += cost / tenant.weight;
  }

  // Any but the first, which is of batch and has to wait, and but those of which a part of the
  // prompt may be computed: what they were served is not known here.
  void cancel_any() {
    const auto which = static_cast<std::size_t>(chance_.pick(std::max(1, asked_ - 30), asked_ - 1));
    if (states_[which] != State::begun) core_->cancel(std::to_string(which));
  }

  void step() {
    core_->step();
    ++steps_;
  }

  // Prompts count here as soon as they begin, and not as they are computed: those of all places
  // that a tenant may have is how far that can be off, at both ends.
  double bound() const {
    const double pool = blocks_ * kBlockTokens;
    return 2 * std::max(options_.prompt_token_cost, options_.output_token_cost) * pool +
           2.0 * options_.prompt_token_cost * 40;
  }

  void compare() {
    for (std::size_t a = 0; a < backlogged_; ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        const auto at = a * backlogged_ + b;
        const double ahead = tenants_[a].served - tenants_[b].served;
        least_[at] = std::min(least_[at], ahead);
        most_[at] = std::max(most_[at], ahead);
        if (most_[at] - least_[at] <= bound()) continue;
        violations_.push_back(fmt::format("tenants {} and {} drift {} apart in step {}", a, b,
                                          most_[at] - least_[at], steps_));
      }
    }
  }

  // Everything that was asked is answered, batch included; and all time is somebody's.
  void end() {
    for (int more = 0; !core_->idle() && violations_.empty(); ++more) {
      if (more > 200'000) violations_.emplace_back("the engine does not come to rest");
      step();
    }
    if (!violations_.empty()) return;
    if (finished_ != asked_) violations_.emplace_back("a request did not end");
    const auto stats = core_->stats();
    const auto age = stats.step_ns + stats.idle_ns;
    const auto device = device_us_ * 1000 + stats.idle_ns;
    if (std::abs(age - device) > age / 100)
      violations_.emplace_back("device and idle time do not add up to the engine's age");
  }

  std::map<std::string, std::int64_t> counts() const {
    double served = 0;
    for (const auto& tenant : tenants_) served += tenant.served;
    return {{"requests", asked_},
            {"steps", steps_},
            {"served in bounds", static_cast<std::int64_t>(served / bound())},
            {"longest wait of the rare one", longest_wait_},
            {"preemptions", core_->stats().preemptions},
            {"cached tokens", core_->stats().cached_tokens}};
  }

  Chance chance_;
  base::FakeClock clock_;
  std::vector<std::string> violations_;
  engine::EngineOptions options_;
  std::unique_ptr<EngineCore> core_;
  std::int32_t blocks_ = 0;
  std::vector<Tenant> tenants_;
  std::size_t backlogged_ = 0;        // of the tenants, the first ones
  std::vector<State> states_;         // of the requests, by number
  std::vector<double> least_, most_;  // [backlogged, backlogged]: one's service less another's
  int asked_ = 0, finished_ = 0;
  std::int64_t steps_ = 0, longest_wait_ = 0, device_us_ = 0;
};

}  // namespace

Outcome run_fairness_world(std::uint64_t seed) { return FairnessWorld(seed).run(); }

}  // namespace plinth::sim
