// One call of a client as the fleet holds it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <variant>

#include "cluster/model_service.h"
#include "protocol/codec.h"

namespace plinth::cluster {

class FleetCall {
 public:
  FleetCall(protocol::CallId number, protocol::GenerateRequest asked, GenerateSink sink)
      : id(number), model(asked.model), request(std::move(asked)), generate_(std::move(sink)) {}
  FleetCall(protocol::CallId number, protocol::EmbedRequest asked, EmbedSink sink)
      : id(number), model(asked.model), request(std::move(asked)), embed_(std::move(sink)) {}

  const protocol::CallId id;
  const std::string model;
  // Kept for retry; its adapter's key is changed where no worker has it.
  std::variant<protocol::GenerateRequest, protocol::EmbedRequest> request;
  std::string replica;   // whose worker serves it; constant once it is placed
  int attempts = 0;      // protected by the fleet's mutex, as is
  bool started = false;  // whether the client may have seen anything

  // False once nobody listens any more. The sink runs under the mutex, so that after hang_up()
  // it never will again.
  void deliver(std::vector<protocol::GenerateEvent> events) {
    std::lock_guard lock(mutex_);
    if (!generate_ || events.empty()) return;
    const bool last = std::holds_alternative<protocol::Finished>(events.back());
    generate_(std::move(events));
    if (last) generate_ = nullptr;
  }
  void deliver(absl::StatusOr<protocol::EmbedResult> result) {
    std::lock_guard lock(mutex_);
    if (embed_) std::exchange(embed_, nullptr)(std::move(result));
  }
  void fail(const absl::Status& status) {
    if (std::holds_alternative<protocol::EmbedRequest>(request))
      deliver(absl::StatusOr<protocol::EmbedResult>(status));
    else
      deliver({protocol::Finished{status, {}}});
  }
  void hang_up() {
    gone_ = true;
    std::lock_guard lock(mutex_);
    generate_ = nullptr;
    embed_ = nullptr;
  }
  bool hung_up() const { return gone_; }
  protocol::ToWorker message() const {
    if (const auto* embed = std::get_if<protocol::EmbedRequest>(&request))
      return protocol::StartEmbed{id, *embed};
    return protocol::StartGenerate{id, std::get<protocol::GenerateRequest>(request)};
  }

 private:
  std::mutex mutex_;
  GenerateSink generate_;  // protected by mutex_, as is
  EmbedSink embed_;
  std::atomic<bool> gone_{false};  // its own, so that the fleet may ask under its mutex
};

}  // namespace plinth::cluster
