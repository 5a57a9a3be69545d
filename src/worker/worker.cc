#include "worker/worker.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "net/rpc_link.h"
#include "protocol/codec.h"
#include "worker/load_files.h"
#include "worker/outbox.h"
#include "worker/sandbox.h"
#include "worker/served_model.h"

namespace plinth::worker {

namespace {

// A tenth of the gateway's lease: one lost beat is no death.
constexpr std::chrono::seconds kHeartbeat{1};

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
  void watch(const ServedModel* model) {
    std::lock_guard lock(mutex_);
    model_ = model;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kHeartbeat, [&] { return stopping_; })) {
      outbox_.message(model_ == nullptr ? protocol::Heartbeat{} : model_->heartbeat());
    }
  }
  Outbox& outbox_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const ServedModel* model_ = nullptr;  // protected by mutex_
  bool stopping_ = false;               // protected by mutex_
  std::thread thread_;                  // last: it uses the fields above
};

void handle(protocol::ToWorker message, ServedModel& model) {
  if (auto* generate = std::get_if<protocol::StartGenerate>(&message)) {
    model.start(std::move(*generate));
  } else if (auto* embed = std::get_if<protocol::StartEmbed>(&message)) {
    model.start(std::move(*embed));
  } else if (const auto* cancel = std::get_if<protocol::CancelCall>(&message)) {
    model.cancel(cancel->call);
  } else if (const auto* commit = std::get_if<protocol::CommitCall>(&message)) {
    model.commit(*commit);
  }
}

WorkerOptions with_files(WorkerOptions options, LoadFiles& files) {
  options.runner = files.runner();
  return options;
}

}  // namespace

absl::Status run_worker(const WorkerOptions& options, const base::Clock& clock) {
  ASSIGN_OR_RETURN(const auto link, net::dial_rpc(options.socket_path, {}));
  RETURN_IF_ERROR(link->send(encode(protocol::ToGateway(protocol::Hello{options.token}))));
  const auto first = link->receive();
  if (!first) return base::unavailable("[worker] the gateway does not know this worker");
  ASSIGN_OR_RETURN(const auto welcome, protocol::decode_to_worker(*first));
  if (!std::holds_alternative<protocol::Welcome>(welcome)) {
    return base::invalid_argument("[worker] the gateway's first frame is no welcome");
  }
  LoadFiles files(options, clock);
  RETURN_IF_ERROR(enter_sandbox());
  Outbox outbox(*link);
  Pulse pulse(outbox);
  auto model = ServedModel::load(with_files(options, files), clock, outbox);
  if (!model.ok()) {
    outbox.message(protocol::LoadFailed{model.status()});
    // The gateway ends the link once it has read why.
    while (link->receive()) {
    }
    return model.status();
  }
  files.keep();
  pulse.watch(model->get());
  outbox.message((*model)->ready());
  absl::Status status;
  while (const auto frame = link->receive()) {
    auto message = protocol::decode_to_worker(*frame);
    if (!message.ok()) {
      status = message.status();
      break;
    }
    handle(*std::move(message), **model);
  }
  link->close();
  pulse.watch(nullptr);
  model->reset();  // its loop posts to the outbox until it ends
  return status;
}

}  // namespace plinth::worker
