#include "engine/engine.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "engine/engine_core.h"

namespace plinth::engine {

namespace {

// The thread around an EngineCore, and the mailbox before it.
class EngineLoop final : public Engine {
 public:
  EngineLoop(const EngineOptions& options, std::unique_ptr<EngineCore> core,
             const base::Clock& clock)
      : options_(options), clock_(clock), core_(std::move(core)), thread_([this] { loop(); }) {}

  ~EngineLoop() override {
    {
      std::lock_guard lock(mutex_);
      drain_ = clock_.now();
      stopping_ = true;
      mail_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  absl::Status submit(protocol::GenerateRequest request, EventSink sink) override {
    ASSIGN_OR_RETURN(auto prepared, prepare(std::move(request)));
    return submit(std::move(prepared), std::move(sink));
  }

  absl::StatusOr<PreparedRequest> prepare(protocol::GenerateRequest request) override {
    {
      // Before the work of rendering; and again once it is done.
      std::lock_guard lock(mutex_);
      RETURN_IF_ERROR(check_open(request));
    }
    return core_->prepare(std::move(request));
  }

  absl::Status submit(PreparedRequest prepared, EventSink sink) override {
    {
      std::lock_guard lock(mutex_);
      if (const auto status = check_open(prepared.spec); !status.ok()) {
        core_->release(prepared);
        return status;
      }
      waiting_ += queue_places(prepared.spec);
      inbox_.push_back({std::move(prepared), std::move(sink)});
      mail_ = true;
    }
    wake_.notify_one();
    return absl::OkStatus();
  }

  void redeem(PreparedRequest& request) override { core_->redeem(request); }
  void release(PreparedRequest& request) override { core_->release(request); }

  void cancel(const std::string& request_id) override {
    {
      std::lock_guard lock(mutex_);
      cancelled_.insert(request_id);
      mail_ = true;
    }
    wake_.notify_one();
  }

  EngineStats stats() const override {
    std::lock_guard lock(mutex_);
    auto stats = stats_;
    stats.waiting = waiting_;
    if (core_idle_) stats.idle_ns += idle_since_published();
    return stats;
  }

  void drain(base::Duration grace) override {
    std::unique_lock lock(mutex_);
    drain_ = clock_.now() + grace;
    mail_ = true;
    wake_.notify_one();
    idle_.wait(lock, [&] { return inbox_.empty() && core_idle_; });
  }

  std::int32_t context_tokens() const override { return core_->context_tokens(); }

 private:
  struct Fresh {
    PreparedRequest request;
    EventSink sink;
  };

  // Called with mutex_ held.
  absl::Status check_open(const protocol::GenerateRequest& request) const {
    if (drain_) return base::unavailable("the model is shutting down");
    if (!queue_has_room(options_, waiting_, request)) {
      return base::resource_exhausted("the queue is full; retry later");
    }
    return absl::OkStatus();
  }

  void loop() {
    while (true) {
      // While requests run and nobody writes, a step waits for no lock.
      if (core_->idle() || mail_.load(std::memory_order_acquire)) {
        if (!read_mail()) return;
      } else if (std::unique_lock lock(mutex_, std::try_to_lock); lock.owns_lock()) {
        publish();
      }
      core_->step();
      if (options_.after_step) options_.after_step();
    }
  }

  // Called with mutex_ held.
  void publish() {
    stats_ = core_->stats();
    published_ = clock_.now();
    waiting_ = stats_.waiting;
    for (const auto& one : inbox_) waiting_ += queue_places(one.request.spec);
  }

  // Called with mutex_ held, while the loop waits: its core cannot be asked.
  std::int64_t idle_since_published() const { return (clock_.now() - published_).count(); }

  // Waits for mail where there is nothing to do. False: it is time to end.
  bool read_mail() {
    std::vector<Fresh> fresh;
    std::set<std::string> cancelled;
    std::optional<base::TimePoint> deadline;
    {
      std::unique_lock lock(mutex_);
      publish();
      core_idle_ = core_->idle();
      if (core_idle_) idle_.notify_all();
      wake_.wait(
          lock, [&] { return stopping_ || !inbox_.empty() || !cancelled_.empty() || !core_idle_; });
      if (stopping_ && core_idle_ && inbox_.empty()) return false;
      // What stats() said while it waited is not taken back in the step to come.
      if (core_idle_) stats_.idle_ns += idle_since_published();
      core_idle_ = false;
      mail_.store(false, std::memory_order_relaxed);
      fresh.swap(inbox_);
      cancelled.swap(cancelled_);
      deadline = drain_;
    }
    for (auto& one : fresh) {
      // submit() has made sure of a place, so that this cannot be refused but for a drain that
      // began since.
      const auto status = core_->add(std::move(one.request), one.sink);
      if (!status.ok()) one.sink({protocol::Finished{status, {}}});
    }
    for (const auto& id : cancelled) core_->cancel(id);
    if (deadline) core_->drain(*deadline);
    return true;
  }

  // Constant after construction.
  const EngineOptions options_;
  const base::Clock& clock_;

  // Of the loop thread; its prepare(), redeem(), release() and context_tokens() are for any.
  const std::unique_ptr<EngineCore> core_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::vector<Fresh> inbox_;  // protected by mutex_, as are the following
  std::set<std::string> cancelled_;
  EngineStats stats_;
  base::TimePoint published_ = clock_.now();  // when stats_ was taken
  std::int32_t waiting_ = 0;                  // choices, those in the inbox included
  std::optional<base::TimePoint> drain_;
  bool stopping_ = false, core_idle_ = true;
  // Set with mutex_ held by who changes any of it for the loop.
  std::atomic<bool> mail_{false};

  std::thread thread_;  // last: it uses the fields above
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::create(
    const EngineOptions& options, std::unique_ptr<Runner> runner,
    std::unique_ptr<model::Tokenizer> tokenizer, std::unique_ptr<model::ChatTemplate> chat_template,
    const base::Clock& clock) {
  ASSIGN_OR_RETURN(auto core, EngineCore::create(options, std::move(runner), std::move(tokenizer),
                                                 std::move(chat_template), clock));
  return std::unique_ptr<Engine>(new EngineLoop(options, std::move(core), clock));
}

}  // namespace plinth::engine
