#include "api/generation.h"

#include <mutex>
#include <utility>

#include "api/error_map.h"
#include "api/request_metrics.h"

namespace plinth::api {

namespace {

using protocol::GenerateEvent;

class Generation : public std::enable_shared_from_this<Generation> {
 public:
  Generation(ExchangePtr exchange, std::size_t calls, const std::string& model,
             std::unique_ptr<Answer> answer)
      : exchange_(std::move(exchange)),
        answer_(std::move(answer)),
        open_(calls),
        metrics_(exchange_->services().metrics, exchange_->services().clock, exchange_->started(),
                 operation_of(exchange_->endpoint), model) {}

  void start(std::vector<protocol::GenerateRequest> requests) {
    exchange_->when_over([self = shared_from_this()] { self->release(); });
    exchange_->when_late([self = shared_from_this()](const absl::Status& status) {
      {
        std::lock_guard lock(self->mutex_);
        self->fail(status);
      }
      self->release();
    });
    for (const auto& request : requests) choices_.push_back(request.n);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      // What one project sent must not show in another's answers, not even in how fast they come.
      requests[i].cache_salt = exchange_->principal.project;
      auto call = exchange_->services().models.generate(
          std::move(requests[i]),
          [self = shared_from_this(), i](std::vector<GenerateEvent> events) {
            self->take(i, std::move(events));
          });
      if (!keep(std::move(call))) return;
    }
  }

 private:
  // False where the answer is over already: the call, which then ends here, is not needed.
  bool keep(std::unique_ptr<cluster::Call> call) {
    std::lock_guard lock(mutex_);
    if (!released_) calls_.push_back(std::move(call));
    return !released_;
  }

  // Destroying a call waits for its sink, so never under mutex_ and never in a sink.
  void release() {
    std::vector<std::unique_ptr<cluster::Call>> calls;
    {
      std::lock_guard lock(mutex_);
      metrics_.over(usage_, "client_gone");  // unless it is over already
      over_ = released_ = true;
      calls.swap(calls_);
    }
  }

  void take(std::size_t call, std::vector<GenerateEvent> events) {
    std::lock_guard lock(mutex_);
    if (over_) return;
    std::int32_t tokens = 0;
    for (const auto& event : events) {
      if (const auto* delta = std::get_if<protocol::Delta>(&event)) tokens += delta->tokens;
    }
    if (tokens > 0) metrics_.tokens(tokens);
    for (auto& event : events) {
      if (auto* finished = std::get_if<protocol::Finished>(&event)) {
        if (!finished->status.ok()) return fail(finished->status);
        usage_.prompt_tokens += finished->usage.prompt_tokens;
        usage_.cached_tokens += finished->usage.cached_tokens;
        usage_.completion_tokens += finished->usage.completion_tokens;
        if (--open_ == 0) return finish();
        continue;
      }
      if (!was_asked_for(call, event))
        return fail(base::internal("the model answered for a choice that was not asked for"));
      if (answer_->streams() && !streaming_ && std::holds_alternative<protocol::Admitted>(event)) {
        exchange_->start_events();
        streaming_ = true;
      }
      answer_->add(call, std::move(event), out_);
    }
    if (!streaming_) return;
    if (!out_.empty()) over_ = !exchange_->stream().write(out_);
    out_.clear();
  }

  // Answers are laid out by the number of choices; a worker's word is not taken for it.
  bool was_asked_for(std::size_t call, const GenerateEvent& event) const {
    const auto* delta = std::get_if<protocol::Delta>(&event);
    const auto* end = std::get_if<protocol::ChoiceEnd>(&event);
    const std::int32_t index = delta != nullptr ? delta->index : end != nullptr ? end->index : 0;
    return index >= 0 && index < choices_[call];
  }

  // Called with mutex_ held, as the next.
  void finish() {
    over_ = true;
    metrics_.over(usage_, "");
    answer_->finish(usage_, out_);
    if (!streaming_) return exchange_->send(200, "application/json", std::move(out_));
    exchange_->stream().write(out_);
    exchange_->stream().end_stream();
  }

  void fail(const absl::Status& status) {
    if (std::exchange(over_, true)) return;
    metrics_.over(usage_, std::to_string(http_status(status)));
    if (!streaming_) return exchange_->refuse(status);
    // What came before the failure in the same step still belongs to the client.
    answer_->fail(status, out_);
    exchange_->stream().write(out_);
    exchange_->stream().break_off();
  }

  const ExchangePtr exchange_;
  const std::unique_ptr<Answer> answer_;
  std::vector<std::int32_t> choices_;  // of each call; constant once the first has started

  std::mutex mutex_;
  std::size_t open_;  // calls that are not over; protected by mutex_, as are the following
  bool streaming_ = false, over_ = false, released_ = false;
  GenerationMetrics metrics_;
  protocol::Usage usage_;
  std::string out_;  // what is not written yet; kept for its capacity
  std::vector<std::unique_ptr<cluster::Call>> calls_;
};

}  // namespace

void generate(const ExchangePtr& exchange, std::vector<protocol::GenerateRequest> requests,
              std::unique_ptr<Answer> answer) {
  const auto generation = std::make_shared<Generation>(exchange, requests.size(),
                                                       requests.at(0).model, std::move(answer));
  generation->start(std::move(requests));
}

}  // namespace plinth::api
