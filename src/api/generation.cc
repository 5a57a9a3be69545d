#include "api/generation.h"

#include <mutex>
#include <numeric>
#include <utility>

#include "api/content_gate.h"
#include "api/error_map.h"
#include "api/request_meter.h"
#include "api/request_metrics.h"
#include "governance/content_wire.h"

namespace plinth::api {

namespace {

using protocol::GenerateEvent;

class Generation : public std::enable_shared_from_this<Generation> {
 public:
  // `gate` is null where there is no content policy.
  Generation(ExchangePtr exchange, Target target, std::size_t calls, std::unique_ptr<Answer> answer,
             std::unique_ptr<ContentGate> gate)
      : exchange_(std::move(exchange)),
        answer_(std::move(answer)),
        states_(calls),
        open_(calls),
        meter_(std::move(target.meter)),
        metrics_(exchange_->services().metrics, exchange_->services().clock, exchange_->started(),
                 operation_of(exchange_->endpoint), target.card.id),
        gate_(std::move(gate)) {}

  void start(std::vector<protocol::GenerateRequest> requests) {
    exchange_->when_over([self = shared_from_this()] { self->release(); });
    exchange_->when_late([self = shared_from_this()](const absl::Status& status) {
      {
        std::lock_guard lock(self->mutex_);
        self->fail(status);
      }
      self->release();
    });
    for (std::size_t i = 0; i < requests.size(); ++i) states_[i].choices = requests[i].n;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      // What one project sent must not show in another's answers, not even in how fast they come.
      requests[i].cache_salt = exchange_->principal.project;
      requests[i].tenant = exchange_->principal.project;
      requests[i].service_class = protocol::service_class_named(meter_.demand().service_class);
      requests[i].held = true;
      requests[i].gathered = !answer_->streams();
      auto call = exchange_->services().models.generate(
          std::move(requests[i]),
          [self = shared_from_this(), i](std::vector<GenerateEvent> events) {
            self->take(i, std::move(events));
          });
      if (!keep(i, std::move(call))) return;
    }
  }

 private:
  // Of one call.
  struct CallState {
    std::int32_t choices = 1;  // constant once the first has started
    std::unique_ptr<cluster::Call> call;
    bool asked = false;     // whether it may cost what it costs at most
    bool asking = false;    // the answer is not there yet
    bool reserved = false;  // so much is reserved; it may be committed
    // Of the prompt, what is reserved as cached, and what was last said to be pinned.
    std::int32_t pinned = 0, pinned_said = 0;
    std::int64_t device_us = 0;  // that it took so far
  };

  // False where the answer is over already: the call, which then ends here, is not needed.
  bool keep(std::size_t index, std::unique_ptr<cluster::Call> call) {
    std::lock_guard lock(mutex_);
    if (released_) return false;
    states_[index].call = std::move(call);
    if (states_[index].reserved) commit(index);
    return true;
  }

  // Destroying a call waits for its sink, so never under mutex_ and never in a sink.
  void release() {
    std::vector<std::unique_ptr<cluster::Call>> calls;
    {
      std::lock_guard lock(mutex_);
      if (!std::exchange(over_, true)) leave();
      released_ = true;
      for (auto& state : states_) calls.push_back(std::move(state.call));
    }
  }

  void take(std::size_t call, std::vector<GenerateEvent> events) {
    std::lock_guard lock(mutex_);
    if (over_) return;
    std::int32_t tokens = 0;
    for (const auto& event : events) {
      if (const auto* delta = std::get_if<protocol::Delta>(&event)) tokens += delta->tokens;
      count_time(states_[call], event);
    }
    if (tokens > 0) metrics_.tokens(tokens);
    produced_ += tokens;
    for (auto& event : events) {
      if (const auto* prepared = std::get_if<protocol::Prepared>(&event)) {
        if (const auto status = reserve(call, *prepared); !status.ok()) return fail(status);
        continue;
      }
      if (auto* finished = std::get_if<protocol::Finished>(&event)) {
        if (!finished->status.ok()) return fail(finished->status);
        if (finished->usage.cached_tokens < states_[call].pinned) return fail(pins_denied());
        usage_.prompt_tokens += finished->usage.prompt_tokens;
        usage_.cached_tokens += finished->usage.cached_tokens;
        usage_.completion_tokens += finished->usage.completion_tokens;
        if (--open_ == 0) return finish();
        continue;
      }
      if (!states_[call].reserved || !was_asked_for(call, event))
        return fail(base::internal("the model answered what was not asked for"));
      if (const auto* admitted = std::get_if<protocol::Admitted>(&event)) {
        if (admitted->cached_tokens < states_[call].pinned) return fail(pins_denied());
        begin(*admitted);
      }
      if (gate_ == nullptr) {
        answer_->add(call, std::move(event), out_);
        continue;
      }
      gate_->pass(call, std::move(event), *answer_, out_);
      if (gate_->over()) return cut_off();
    }
    if (!streaming_) return;
    if (!out_.empty() && !exchange_->stream().write(out_)) {
      over_ = true;
      leave();
    }
    out_.clear();
  }

  // Called with mutex_ held, as all that follow.
  static void count_time(CallState& call, const GenerateEvent& event) {
    const auto* delta = std::get_if<protocol::Delta>(&event);
    const auto* finished = std::get_if<protocol::Finished>(&event);
    if (delta != nullptr && delta->device_us > 0) call.device_us = delta->device_us;
    if (finished != nullptr) call.device_us = finished->usage.device_us;
  }

  std::int64_t device_us() const {
    return std::accumulate(
        states_.begin(), states_.end(), std::int64_t{0},
        [](std::int64_t sum, const auto& state) { return sum + state.device_us; });
  }

  absl::Status reserve(std::size_t call, const protocol::Prepared& prepared) {
    auto& state = states_[call];
    state.pinned_said = prepared.pinned_tokens;
    if (state.asking) return absl::OkStatus();
    // Prepared once more: its pins were lost, or the worker died, and another one has others.
    if (std::exchange(state.asked, true)) return commit_or_ask(call);
    state.pinned = prepared.pinned_tokens;
    return ask(call, {prepared.prompt_tokens, prepared.pinned_tokens,
                      std::int64_t{state.choices} * prepared.output_tokens_max});
  }

  absl::Status ask(std::size_t call, const governance::TokenCount& most) {
    auto& state = states_[call];
    state.asking = true;
    state.reserved = false;
    const auto status =
        meter_.reserve(most, [self = shared_from_this(), call](const absl::Status& later) {
          std::lock_guard lock(self->mutex_);
          if (self->over_) return;
          self->states_[call].asking = false;
          const auto outcome = later.ok() ? self->commit_or_ask(call) : later;
          if (!outcome.ok()) self->fail(outcome);
        });
    if (!status) return absl::OkStatus();
    state.asking = false;
    return status->ok() ? commit_or_ask(call) : *status;
  }

  // What is reserved suffices for what was said last, or for less: then the difference is asked
  // for.
  absl::Status commit_or_ask(std::size_t call) {
    auto& state = states_[call];
    if (state.pinned_said >= state.pinned) {
      state.reserved = true;
      commit(call);
      return absl::OkStatus();
    }
    const auto lost = std::exchange(state.pinned, state.pinned_said) - state.pinned_said;
    return ask(call, {0, -lost, 0});
  }

  void commit(std::size_t call) {
    auto& state = states_[call];
    if (state.call != nullptr) state.call->commit(state.pinned);
  }

  // A worker's word is not taken for what it costs: that more is charged than is reserved.
  static absl::Status pins_denied() {
    return base::internal("the model lost cached tokens that it had promised to keep");
  }

  void begin(const protocol::Admitted& admitted) {
    meter_.admitted();
    admitted_.input += admitted.prompt_tokens;
    admitted_.cached += admitted.cached_tokens;
    if (!answer_->streams() || streaming_) return;
    exchange_->start_events();
    streaming_ = true;
    tell_prompts();
  }
  void tell_prompts() {
    if (gate_ == nullptr || std::exchange(prompts_told_, true)) return;
    answer_->prompts_checked(base::to_json(governance::prompt_filter_results(gate_->prompts())),
                             out_);
  }

  // The content policy has ended every choice: what the calls would still make is not wanted.
  void cut_off() {
    for (auto& state : states_) {
      if (state.call != nullptr) state.call->cancel();
    }
    usage_.prompt_tokens = static_cast<std::int32_t>(admitted_.input);
    usage_.cached_tokens = static_cast<std::int32_t>(admitted_.cached);
    usage_.completion_tokens = static_cast<std::int32_t>(produced_);
    finish();
  }

  // Answers are laid out by the number of choices; a worker's word is not taken for it.
  bool was_asked_for(std::size_t call, const GenerateEvent& event) const {
    const auto* delta = std::get_if<protocol::Delta>(&event);
    const auto* end = std::get_if<protocol::ChoiceEnd>(&event);
    const std::int32_t index = delta != nullptr ? delta->index : end != nullptr ? end->index : 0;
    return index >= 0 && index < states_[call].choices;
  }

  std::int64_t choices() const {
    return std::accumulate(states_.begin(), states_.end(), std::int64_t{0},
                           [](std::int64_t sum, const auto& state) { return sum + state.choices; });
  }

  // The last bytes, which hold the usage, wait for its row in the ledger.
  void finish() {
    over_ = true;
    metrics_.over(usage_, "");
    tell_prompts();
    if (streaming_) exchange_->stream().write(std::exchange(out_, {}));
    answer_->finish(usage_, rest_);
    meter_.worked(device_us());
    meter_.settle({usage_.prompt_tokens, usage_.cached_tokens, usage_.completion_tokens}, choices(),
                  "ok", [self = shared_from_this()](const absl::Status& status) {
                    std::lock_guard lock(self->mutex_);
                    status.ok() ? self->send_rest() : self->send_failure(status);
                  });
  }

  void send_rest() {
    if (!streaming_) return exchange_->send(200, "application/json", std::move(rest_));
    exchange_->stream().write(rest_);
    exchange_->stream().end_stream();
  }

  void fail(const absl::Status& status) {
    if (std::exchange(over_, true)) return;
    meter_.drop();
    metrics_.over(usage_, std::to_string(http_status(status)));
    send_failure(status);
  }

  void send_failure(const absl::Status& status) {
    if (!streaming_) return exchange_->refuse(status);
    // What came before the failure in the same step still belongs to the client.
    answer_->fail(status, out_);
    exchange_->stream().write(out_);
    exchange_->stream().break_off();
  }

  // The client is gone: it pays for what was made until now.
  void leave() {
    metrics_.over(usage_, "client_gone");
    if (admitted_.input == 0) return meter_.drop();
    governance::TokenCount tokens = admitted_;
    tokens.output = produced_;
    meter_.worked(device_us());
    meter_.settle(tokens, choices(), "client_gone", [](const absl::Status&) {});
  }

  const ExchangePtr exchange_;
  const std::unique_ptr<Answer> answer_;

  std::mutex mutex_;
  std::vector<CallState> states_;  // protected by mutex_, as are the following
  std::size_t open_;               // calls that are not over
  bool streaming_ = false, over_ = false, released_ = false;
  RequestMeter meter_;
  GenerationMetrics metrics_;
  governance::TokenCount admitted_;
  std::int64_t produced_ = 0;  // tokens
  protocol::Usage usage_;
  const std::unique_ptr<ContentGate> gate_;
  bool prompts_told_ = false;
  std::string out_;   // what is not written yet; kept for its capacity
  std::string rest_;  // the last bytes
};

void refuse_prompt(const ExchangePtr& exchange, const governance::ContentVerdict& verdict) {
  const auto error = governance::content_filter_error(verdict);
  if (exchange->dialect == Dialect::azure) return exchange->send_json(400, error);
  const auto& message = error.at("error").at("message").get_string();
  exchange->refuse(parameter_error(std::string_view(message), "prompt", "content_filter"));
}

}  // namespace

void generate(const ExchangePtr& exchange, Target target,
              std::vector<protocol::GenerateRequest> requests, std::unique_ptr<Answer> answer) {
  std::unique_ptr<ContentGate> gate;
  if (target.filter != nullptr) {
    gate = std::make_unique<ContentGate>(target.filter, requests.size(), requests.at(0).n);
    const auto passed = gate->check_prompts(requests);
    if (!passed.ok()) return exchange->refuse(passed.status());
    if (!*passed) return refuse_prompt(exchange, gate->blocked_prompt());
  }
  const auto generation = std::make_shared<Generation>(exchange, std::move(target), requests.size(),
                                                       std::move(answer), std::move(gate));
  generation->start(std::move(requests));
}

}  // namespace plinth::api
