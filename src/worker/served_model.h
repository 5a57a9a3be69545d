// What a worker serves once it has loaded: a model that generates, or one that embeds. Calls of the
// other kind are answered with an error that says so.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/status.h"
#include "protocol/codec.h"
#include "worker/outbox.h"
#include "worker/worker.h"

namespace plinth::worker {

// Thread-safe. Replies go to the outbox given to load(), until it is destroyed.
class ServedModel {
 public:
  // The kind is the one that the model at options.model_path states.
  static absl::StatusOr<std::unique_ptr<ServedModel>> load(const WorkerOptions& options,
                                                           const base::Clock& clock,
                                                           Outbox& outbox);
  virtual ~ServedModel() = default;
  virtual protocol::Ready ready() const = 0;
  virtual protocol::Heartbeat heartbeat() const = 0;
  virtual void start(protocol::StartGenerate call) = 0;
  virtual void start(protocol::StartEmbed call) = 0;
  virtual void cancel(protocol::CallId call) = 0;
  virtual void commit(protocol::CommitCall call) = 0;
};

}  // namespace plinth::worker
