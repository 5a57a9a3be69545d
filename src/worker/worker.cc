#include "worker/worker.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/model_runner.h"
#include "model/model_file.h"
#include "net/rpc_link.h"
#include "protocol/codec.h"
#include "tensor/linear.h"
#include "worker/outbox.h"
#include "worker/sandbox.h"

namespace plinth::worker {

namespace {

// A tenth of the gateway's lease: one lost beat is no death.
constexpr std::chrono::seconds kHeartbeat{1};

absl::StatusOr<std::unique_ptr<engine::Engine>> load(const WorkerOptions& options,
                                                     const base::Clock& clock,
                                                     base::Metrics& metrics) {
  ASSIGN_OR_RETURN(auto file, model::open_model(options.model_path));
  ASSIGN_OR_RETURN(auto tokenizer, model::make_tokenizer(file->tokenizer));
  std::unique_ptr<model::ChatTemplate> chat_template;
  if (!file->chat_template.empty()) {
    auto parsed = model::ChatTemplate::parse(file->chat_template);
    if (!parsed.ok()) return base::annotate(parsed.status(), options.model_path);
    chat_template = std::make_unique<model::ChatTemplate>(*std::move(parsed));
  }
  ASSIGN_OR_RETURN(auto runner,
                   engine::make_model_runner(
                       std::move(file), {options.threads, tensor::best_isa(),
                                         tensor::LinearMode::fast, options.engine.context_tokens}));
  return engine::Engine::create(options.engine, std::move(runner), std::move(tokenizer),
                                std::move(chat_template), clock, metrics);
}

// Keeps the lease, while loading too.
class Pulse {
 public:
  explicit Pulse(Outbox& outbox) : outbox_(outbox), thread_([this] { run(); }) {}
  ~Pulse() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  void watch(const engine::Engine* engine) {
    std::lock_guard lock(mutex_);
    engine_ = engine;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kHeartbeat, [&] { return stopping_; })) {
      const auto stats = engine_ == nullptr ? engine::EngineStats{} : engine_->stats();
      outbox_.message(protocol::Heartbeat{stats.running, stats.waiting});
    }
  }
  Outbox& outbox_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const engine::Engine* engine_ = nullptr;  // protected by mutex_
  bool stopping_ = false;                   // protected by mutex_
  std::thread thread_;                      // last: it uses the fields above
};

void handle(protocol::ToWorker message, engine::Engine& engine, Outbox& outbox) {
  if (auto* start = std::get_if<protocol::StartGenerate>(&message)) {
    const auto call = start->call;
    // The engine knows the call by its number: a retried request keeps its id, not its number.
    start->request.request_id = std::to_string(call);
    const auto status = engine.submit(std::move(start->request),
                                      [&outbox, call](std::vector<protocol::GenerateEvent> events) {
                                        outbox.events(call, std::move(events));
                                      });
    if (!status.ok()) outbox.events(call, {protocol::Finished{status, {}}});
  } else if (const auto* cancel = std::get_if<protocol::CancelCall>(&message)) {
    engine.cancel(std::to_string(cancel->call));
  } else if (const auto* embed = std::get_if<protocol::StartEmbed>(&message)) {
    outbox.message(protocol::EmbedReply{
        embed->call, base::invalid_argument("this model generates text; it makes no embeddings")});
  }
}

}  // namespace

absl::Status run_worker(const WorkerOptions& options, const base::Clock& clock,
                        base::Metrics& metrics) {
  ASSIGN_OR_RETURN(const auto link, net::dial_rpc(options.socket_path, {}));
  RETURN_IF_ERROR(link->send(encode(protocol::ToGateway(protocol::Hello{options.token}))));
  const auto first = link->receive();
  if (!first) return base::unavailable("[worker] the gateway does not know this worker");
  ASSIGN_OR_RETURN(const auto welcome, protocol::decode_to_worker(*first));
  if (!std::holds_alternative<protocol::Welcome>(welcome)) {
    return base::invalid_argument("[worker] the gateway's first frame is no welcome");
  }
  RETURN_IF_ERROR(enter_sandbox());
  Outbox outbox(*link);
  Pulse pulse(outbox);
  auto engine = load(options, clock, metrics);
  if (!engine.ok()) {
    outbox.message(protocol::LoadFailed{engine.status()});
    // The gateway ends the link once it has read why.
    while (link->receive()) {
    }
    return engine.status();
  }
  pulse.watch(engine->get());
  outbox.message(
      protocol::Ready{true, false, (*engine)->context_tokens(), options.engine.sequences_max});
  absl::Status status;
  while (const auto frame = link->receive()) {
    auto message = protocol::decode_to_worker(*frame);
    if (!message.ok()) {
      status = message.status();
      break;
    }
    handle(*std::move(message), **engine, outbox);
  }
  link->close();
  pulse.watch(nullptr);
  engine->reset();  // its loop posts to the outbox until it ends
  return status;
}

}  // namespace plinth::worker
