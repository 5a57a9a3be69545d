// The engine: requests in, events out. One loop thread owns all state; submit() and cancel() post
// to it from any thread, and events are delivered from the loop, batched per step.
//
//   Engine::create(options, runner, tokenizer, chat_template, clock)
//   engine->submit(request, sink)   -> Status only for a full queue; everything else is an event
//   engine->cancel(request_id)      -> pages are free before the next step
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine/adapter_pool.h"
#include "engine/runner.h"
#include "model/chat_template.h"
#include "model/tokenizer.h"
#include "protocol/generate.h"

namespace plinth::engine {

// Who guesses tokens that a step then verifies (docs/decisions/0006-speculation.md).
enum class Speculation { off, ngram };

struct EngineOptions {
  std::int32_t context_tokens = 0;     // 0 = the model's own maximum, bounded by the KV budget
  std::size_t kv_bytes = 512u << 20;   // memory for KV pages
  std::int32_t step_tokens_max = 512;  // prefill, decode and draft tokens of one step
  std::int32_t sequences_max = 256;    // choices that run at once
  std::int32_t queue_max = 1024;       // choices that wait; more get ResourceExhausted
  bool prefix_cache = true;            // false: no request finds the pages of another
  // Seeds requests that bring none, and the prefix cache's hashes; tests fix it.
  std::uint64_t seed_base = 0;
  Speculation speculation = Speculation::ngram;
  // What a computed token of a prompt and a sampled one count, in fairness between tenants and in
  // the shares of a step's time; at least 1 each (sched/fair_queue.h says why these).
  std::int32_t prompt_token_cost = 1, output_token_cost = 2;
  std::map<std::string, std::int32_t> tenant_weights;  // over what their requests say
  // Of adapters that are loaded; 0: none may be. The least recently used leave first.
  std::size_t adapter_bytes = std::size_t{1} << 30;
  // Called from the engine's loop once a step's events are delivered: for who gathers what several
  // sinks got. Null or, as a sink, quick.
  std::function<void()> after_step = nullptr;
};

// Called from the engine's loop; must not block, nor call the engine's core. One call carries the
// events of one step for one request, in order.
using EventSink = std::function<void(std::vector<protocol::GenerateEvent>)>;

// Choices and pages now; the rest since the start.
struct EngineStats {
  std::int32_t running = 0, waiting = 0;
  // Of the total, those neither free nor cached are held by sequences. Cached: kept for their
  // content, given up when pages are needed.
  std::int32_t blocks_total = 0, blocks_free = 0, blocks_cached = 0;
  std::int32_t blocks_pinned = 0;  // for prompts that have not started
  std::int64_t steps = 0, step_failures = 0;
  std::int64_t batch_tokens = 0;  // computed, over all steps
  std::int64_t step_ns = 0;       // time with requests, all of it some step's
  std::int64_t idle_ns = 0;       // time without any; together, the engine's age
  std::int64_t requests = 0;      // admitted
  std::int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  std::int64_t preemptions = 0, cache_evictions = 0;
  std::int64_t pins_broken = 0;                          // whose pages somebody else needed
  std::int64_t drafted_tokens = 0, accepted_tokens = 0;  // computed as guesses; of these, right
};

// What the prefix cache has of a held request's prompt and keeps for it. Once redeemed, so many
// tokens at least count as cached, even where the pages are lost before the request starts.
struct PromptPin {
  std::uint64_t id = 0;  // 0: nothing is kept
  std::int32_t tokens = 0;
  bool redeemed = false;
};

// A request whose prompt is rendered, counted and within the model's bounds, or why it is not.
struct PreparedRequest {
  protocol::GenerateRequest spec;
  absl::Status status;
  std::vector<std::int32_t> prompt;
  std::int32_t output_tokens_max = 0;  // of each choice
  PromptPin pin;
  // Keeps its adapter loaded; null where it has none. Shared with the request that comes of it.
  std::shared_ptr<const AdapterLease> adapter;
};

class Engine {
 public:
  // Starts the loop thread. runner, tokenizer and template are owned; the clock outlives it.
  // chat_template may be null: chat requests are then refused by name.
  static absl::StatusOr<std::unique_ptr<Engine>> create(
      const EngineOptions& options, std::unique_ptr<Runner> runner,
      std::unique_ptr<model::Tokenizer> tokenizer,
      std::unique_ptr<model::ChatTemplate> chat_template, const base::Clock& clock);
  virtual ~Engine() = default;

  // Renders and tokenizes on the caller's thread. ResourceExhausted: the queue is full;
  // Unavailable: draining. Then the sink is never called.
  virtual absl::Status submit(protocol::GenerateRequest request, EventSink sink) = 0;
  // The same in two steps: what prepare() made costs nothing but its memory until it is submitted,
  // and, of a held request, a lease on cached pages (kPinLease).
  virtual absl::StatusOr<PreparedRequest> prepare(protocol::GenerateRequest request) = 0;
  virtual absl::Status submit(PreparedRequest request, EventSink sink) = 0;
  // Before submit(): what is pinned lasts from now on. Where it is lost, request.pin is none.
  virtual void redeem(PreparedRequest& request) = 0;
  // Instead of submit(); else its pin lasts until its lease ends.
  virtual void release(PreparedRequest& request) = 0;
  virtual void cancel(const std::string& request_id) = 0;
  virtual EngineStats stats() const = 0;
  // Refuses new requests, finishes the running ones or, after `grace`, ends them with Unavailable.
  virtual void drain(base::Duration grace) = 0;
  virtual std::int32_t context_tokens() const = 0;
};

}  // namespace plinth::engine
