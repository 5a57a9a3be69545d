// The engine without its thread: whoever owns it calls step(). Engine runs one in a loop of its
// own; simulations and tests step it by hand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace plinth::engine {

// One owner thread; prepare(), redeem() and release() may be called from any.
class EngineCore {
 public:
  // runner and tokenizer are owned, as is chat_template, which may be null; the clock outlives it.
  static absl::StatusOr<std::unique_ptr<EngineCore>> create(
      const EngineOptions& options, std::unique_ptr<Runner> runner,
      std::unique_ptr<model::Tokenizer> tokenizer,
      std::unique_ptr<model::ChatTemplate> chat_template, const base::Clock& clock);
  virtual ~EngineCore() = default;

  // Engine's.
  virtual PreparedRequest prepare(protocol::GenerateRequest request) = 0;
  virtual void redeem(PreparedRequest& request) = 0;
  virtual void release(PreparedRequest& request) = 0;
  // ResourceExhausted: the queue is full. Unavailable: drain() was called. Then the sink is never
  // called; otherwise it gets exactly one Finished, last.
  virtual absl::Status add(PreparedRequest request, EventSink sink) = 0;
  // Ends the request of this id, if there is one. Its pages are free at once.
  virtual void cancel(const std::string& request_id) = 0;
  // Refuses new requests from now on; those not finished at `deadline` end Unavailable.
  virtual void drain(base::TimePoint deadline) = 0;
  // One forward pass over what the scheduler picks, then the sinks of all requests with events.
  virtual void step() = 0;
  // No request is left.
  virtual bool idle() const = 0;
  virtual EngineStats stats() const = 0;
  virtual std::int32_t context_tokens() const = 0;
};

// Whether the request's choices may join those that wait. Any request may where none waits.
bool queue_has_room(const EngineOptions& options, std::int32_t waiting,
                    const protocol::GenerateRequest& request);
// The places that it takes there; its n is not checked yet.
std::int32_t queue_places(const protocol::GenerateRequest& request);

}  // namespace plinth::engine
