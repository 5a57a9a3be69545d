// Frames between a gateway and its workers as bytes. Decoding trusts nothing: every count is
// bounded by protocol/limits.h and every index and number is checked, so a broken worker cannot
// harm a gateway.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "protocol/embed.h"
#include "protocol/generate.h"

namespace plinth::protocol {

// A call's number on one stream; the gateway chooses it and never uses it twice.
using CallId = std::uint64_t;

struct Hello {
  std::string token;  // the launch secret: proves that this gateway started the worker
};
struct Ready {
  bool generates = false, embeds = false;
  std::int32_t context_tokens = 0;
  std::int32_t capacity = 0;  // calls that run at once
};
struct LoadFailed {
  absl::Status status;
};
struct CallEvents {
  CallId call = 0;
  std::vector<GenerateEvent> events;
};
// What one step of the engine produced, for all its sequences.
struct Step {
  std::vector<CallEvents> calls;
};
struct EmbedReply {
  CallId call = 0;
  absl::StatusOr<EmbedResult> result = EmbedResult{};
};
// The worker lives. How its engine stands now, and what it did since the worker's start.
struct Heartbeat {
  std::int32_t running = 0, waiting = 0;                              // choices
  std::int32_t blocks_total = 0, blocks_free = 0, blocks_cached = 0;  // KV pages
  std::int64_t steps = 0, step_failures = 0;
  std::int64_t step_ns = 0;       // time with requests, all of it some step's
  std::int64_t batch_tokens = 0;  // computed
  std::int64_t requests = 0;      // admitted
  std::int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  std::int64_t preemptions = 0, cache_evictions = 0;
  std::int64_t drafted_tokens = 0, accepted_tokens = 0;  // computed as guesses; of these, right
  std::int64_t idle_ns = 0;        // without a request; with step_ns, the time since the start
  std::int32_t blocks_pinned = 0;  // of the pages, kept for prompts that have not started
  std::int64_t pins_broken = 0;
  bool operator==(const Heartbeat&) const = default;
};
using ToGateway = std::variant<Hello, Ready, LoadFailed, Step, EmbedReply, Heartbeat>;

struct Welcome {};
struct StartGenerate {
  CallId call = 0;
  GenerateRequest request;
};
struct StartEmbed {
  CallId call = 0;
  EmbedRequest request;
};
struct CancelCall {
  CallId call = 0;
};
// A held request may run.
// Lets a held call run, if it has at least so many tokens pinned; else it is prepared again.
struct CommitCall {
  CallId call = 0;
  std::int32_t pinned_tokens = 0;
};
struct Drain {};
using ToWorker = std::variant<Welcome, StartGenerate, StartEmbed, CancelCall, CommitCall, Drain>;

std::string encode(const ToGateway& message);
std::string encode(const ToWorker& message);
// InvalidArgument names the field.
absl::StatusOr<ToGateway> decode_to_gateway(std::string_view frame);
absl::StatusOr<ToWorker> decode_to_worker(std::string_view frame);

}  // namespace plinth::protocol
