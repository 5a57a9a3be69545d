#include "worker/served_model.h"

#include <chrono>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "engine/embedder.h"
#include "engine/encoder_runner.h"
#include "engine/model_runner.h"
#include "model/encoder_file.h"
#include "model/model_file.h"
#include "tensor/linear.h"

namespace plinth::worker {

namespace {

// Prepared requests that wait for their commit, which takes a gateway microseconds: more, or one
// that waits longer, is a gateway that is gone.
constexpr std::size_t kHeldMax = 4096;
constexpr std::chrono::seconds kHeldTimeMax{60};

protocol::Heartbeat heartbeat_of(const engine::EngineStats& stats) {
  protocol::Heartbeat beat;
  beat.running = stats.running;
  beat.waiting = stats.waiting;
  beat.blocks_total = stats.blocks_total;
  beat.blocks_free = stats.blocks_free;
  beat.blocks_cached = stats.blocks_cached;
  beat.blocks_pinned = stats.blocks_pinned;
  beat.steps = stats.steps;
  beat.step_failures = stats.step_failures;
  beat.step_ns = stats.step_ns;
  beat.idle_ns = stats.idle_ns;
  beat.batch_tokens = stats.batch_tokens;
  beat.requests = stats.requests;
  beat.prompt_tokens = stats.prompt_tokens;
  beat.cached_tokens = stats.cached_tokens;
  beat.completion_tokens = stats.completion_tokens;
  beat.preemptions = stats.preemptions;
  beat.cache_evictions = stats.cache_evictions;
  beat.pins_broken = stats.pins_broken;
  beat.drafted_tokens = stats.drafted_tokens;
  beat.accepted_tokens = stats.accepted_tokens;
  return beat;
}

class GeneratingModel final : public ServedModel {
 public:
  GeneratingModel(std::unique_ptr<engine::Engine> engine, std::int32_t capacity,
                  const base::Clock& clock, Outbox& outbox)
      : outbox_(outbox), capacity_(capacity), clock_(clock), engine_(std::move(engine)) {}

  // What is held leases adapters of the engine.
  ~GeneratingModel() override { held_.clear(); }

  protocol::Ready ready() const override {
    return {true, false, engine_->context_tokens(), capacity_};
  }
  protocol::Heartbeat heartbeat() const override { return heartbeat_of(engine_->stats()); }
  void start(protocol::StartGenerate start) override {
    const auto call = start.call;
    // The engine knows the call by its number: a retried request keeps its id, not its number.
    start.request.request_id = std::to_string(call);
    const bool held = start.request.held;
    auto prepared = engine_->prepare(std::move(start.request));
    if (!prepared.ok()) return outbox_.events(call, {protocol::Finished{prepared.status(), {}}});
    // What cannot run has nothing to wait for.
    if (!held || !prepared->status.ok()) return submit(call, *std::move(prepared));
    hold(call, *std::move(prepared));
  }
  void start(protocol::StartEmbed start) override {
    outbox_.message(protocol::EmbedReply{
        start.call, base::invalid_argument("this model generates text; it makes no embeddings")});
  }
  void cancel(protocol::CallId call) override {
    {
      std::lock_guard lock(mutex_);
      if (auto found = held_.extract(call)) engine_->release(found.mapped().request);
    }
    engine_->cancel(std::to_string(call));
  }
  void commit(protocol::CommitCall commit) override {
    std::optional<engine::PreparedRequest> prepared;
    {
      std::lock_guard lock(mutex_);
      const auto found = held_.find(commit.call);
      // It was cancelled, or has waited too long and been told so.
      if (found == held_.end()) return;
      auto& request = found->second.request;
      engine_->redeem(request);
      if (request.pin.tokens < commit.pinned_tokens) {
        // Less was reserved than it may cost now. What it still has lasts, so this happens once.
        found->second.since = clock_.now();
        return outbox_.events(commit.call, {prepared_event(request)});
      }
      prepared = std::move(request);
      held_.erase(found);
    }
    submit(commit.call, *std::move(prepared));
  }

 private:
  struct Held {
    engine::PreparedRequest request;
    base::TimePoint since;
  };

  void submit(protocol::CallId call, engine::PreparedRequest request) {
    auto sink = outbox_.sink(call, request.spec.gathered, clock_);
    const auto status = engine_->submit(std::move(request), std::move(sink));
    if (!status.ok()) outbox_.events(call, {protocol::Finished{status, {}}});
  }

  static protocol::Prepared prepared_event(const engine::PreparedRequest& request) {
    return {static_cast<std::int32_t>(request.prompt.size()), request.output_tokens_max,
            request.pin.tokens};
  }

  void hold(protocol::CallId call, engine::PreparedRequest request) {
    const auto prepared = prepared_event(request);
    std::vector<protocol::CallId> expired;
    {
      std::lock_guard lock(mutex_);
      const auto now = clock_.now();
      for (auto it = held_.begin(); it != held_.end();) {
        const bool over = now - it->second.since >= kHeldTimeMax;
        if (over) {
          expired.push_back(it->first);
          engine_->release(it->second.request);
        }
        it = over ? held_.erase(it) : std::next(it);
      }
      if (held_.size() >= kHeldMax) {
        expired.push_back(call);
        engine_->release(request);
      } else {
        held_[call] = {std::move(request), now};
      }
    }
    for (const auto over : expired) {
      outbox_.events(over, {protocol::Finished{
                               base::resource_exhausted("the queue is full; retry later"), {}}});
    }
    if (expired.empty() || expired.back() != call) outbox_.events(call, {prepared});
  }

  Outbox& outbox_;
  const std::int32_t capacity_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::map<protocol::CallId, Held> held_;  // prepared, not committed; protected by mutex_
  const std::unique_ptr<engine::Engine>
      engine_;  // last: its loop posts to the outbox until it ends
};

class EmbeddingModel final : public ServedModel {
 public:
  EmbeddingModel(std::unique_ptr<engine::Embedder> embedder, std::int32_t capacity, Outbox& outbox)
      : outbox_(outbox), capacity_(capacity), embedder_(std::move(embedder)) {}

  protocol::Ready ready() const override {
    return {false, true, embedder_->context_tokens(), capacity_};
  }
  protocol::Heartbeat heartbeat() const override {
    const auto stats = embedder_->stats();
    protocol::Heartbeat beat;
    beat.running = stats.running;
    beat.waiting = stats.waiting;
    beat.steps = stats.steps;
    beat.batch_tokens = stats.tokens;
    beat.step_ns = stats.step_ns;
    beat.idle_ns = stats.idle_ns;
    return beat;
  }
  void start(protocol::StartGenerate start) override {
    outbox_.events(
        start.call,
        {protocol::Finished{
            base::invalid_argument("this model makes embeddings; it generates no text"), {}}});
  }
  void start(protocol::StartEmbed start) override {
    const auto call = start.call;
    start.request.request_id = std::to_string(call);
    const auto status = embedder_->submit(
        std::move(start.request), [this, call](absl::StatusOr<protocol::EmbedResult> result) {
          outbox_.message(protocol::EmbedReply{call, std::move(result)});
        });
    if (!status.ok()) outbox_.message(protocol::EmbedReply{call, status});
  }
  void cancel(protocol::CallId call) override { embedder_->cancel(std::to_string(call)); }
  void commit(protocol::CommitCall) override {}  // nothing is held here

 private:
  Outbox& outbox_;
  const std::int32_t capacity_;
  const std::unique_ptr<engine::Embedder> embedder_;  // last, as above
};

absl::StatusOr<std::unique_ptr<ServedModel>> load_encoder(const WorkerOptions& options,
                                                          const base::Clock& clock,
                                                          Outbox& outbox) {
  ASSIGN_OR_RETURN(auto file, model::open_encoder(options.model_path));
  auto tokenizer = model::make_tokenizer(std::move(file->tokenizer));
  if (!tokenizer.ok()) return base::annotate(tokenizer.status(), options.model_path);
  ASSIGN_OR_RETURN(
      auto runner,
      engine::make_encoder_runner(std::move(file), {options.runner.threads, options.runner.isa,
                                                    tensor::LinearMode::fast, options.runner.pin}));
  if ((*tokenizer)->vocab_size() > runner->vocab_size()) {
    return base::invalid_argument(options.model_path +
                                  ": the tokenizer has more tokens than the embedding");
  }
  engine::EmbedderOptions embedder;
  embedder.context_tokens = options.engine.context_tokens;
  embedder.queue_max = options.engine.queue_max;
  return std::make_unique<EmbeddingModel>(
      engine::Embedder::create(embedder, std::move(runner), *std::move(tokenizer), clock),
      options.engine.queue_max, outbox);
}

absl::StatusOr<std::unique_ptr<ServedModel>> load_decoder(const WorkerOptions& options,
                                                          const base::Clock& clock,
                                                          Outbox& outbox) {
  ASSIGN_OR_RETURN(auto file, model::open_model(options.model_path));
  ASSIGN_OR_RETURN(auto tokenizer, model::make_tokenizer(file->tokenizer));
  std::unique_ptr<model::ChatTemplate> chat_template;
  if (!file->chat_template.empty()) {
    auto parsed = model::ChatTemplate::parse(file->chat_template);
    if (!parsed.ok()) return base::annotate(parsed.status(), options.model_path);
    chat_template = std::make_unique<model::ChatTemplate>(*std::move(parsed));
  }
  ASSIGN_OR_RETURN(auto runner, engine::make_model_runner(std::move(file), options.runner));
  auto engine_options = options.engine;
  engine_options.after_step = [&outbox] { outbox.flush(); };
  ASSIGN_OR_RETURN(auto engine,
                   engine::Engine::create(engine_options, std::move(runner), std::move(tokenizer),
                                          std::move(chat_template), clock));
  return std::make_unique<GeneratingModel>(std::move(engine), options.engine.sequences_max, clock,
                                           outbox);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServedModel>> ServedModel::load(const WorkerOptions& options,
                                                               const base::Clock& clock,
                                                               Outbox& outbox) {
  ASSIGN_OR_RETURN(const bool encoder, model::is_encoder(options.model_path));
  return encoder ? load_encoder(options, clock, outbox) : load_decoder(options, clock, outbox);
}

}  // namespace plinth::worker
