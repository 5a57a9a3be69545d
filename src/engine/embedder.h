// The engine of embeddings: requests of texts in, one vector for each text out. One loop thread
// owns all state; submit() and cancel() post to a bounded queue from any thread.
//
//   Embedder::create(options, runner, tokenizer, clock)
//   embedder->submit(request, sink)  -> Status only for a full queue; all else goes to the sink
//   embedder->cancel(request_id)     -> its texts leave before the next step
//
// Each step runs the next texts of all requests in turn up to a budget of tokens, so that a request
// of 2048 texts does not hold up one of a single text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "engine/runner.h"
#include "model/tokenizer.h"
#include "protocol/embed.h"

namespace plinth::engine {

struct EmbedderOptions {
  // Longest input in tokens; 0 = the model's own. More than the model's is cut to it.
  std::int32_t context_tokens = 0;
  // Of one step, but a single longer input runs alone. About 50 ms on two cores for a small model:
  // the longest that a new request waits for its turn.
  std::int32_t step_tokens_max = 2048;
  // Requests at once, waiting or running, and the memory of their texts; more get
  // ResourceExhausted.
  std::int32_t queue_max = 1024;
  std::size_t queue_bytes_max = 256u << 20;
};

// Called once for each request that submit() took, from the loop; must not block.
using EmbedSink = std::function<void(absl::StatusOr<protocol::EmbedResult>)>;

struct EmbedderStats {
  std::int32_t running = 0;  // requests of which a text has run
  std::int32_t waiting = 0;  // the other requests
  std::int64_t steps = 0, tokens = 0;
  std::int64_t step_ns = 0, idle_ns = 0;  // as EngineStats has them
};

class Embedder {
 public:
  // Starts the loop thread; owns the runner and the tokenizer. The clock outlives it.
  static std::unique_ptr<Embedder> create(const EmbedderOptions& options,
                                          std::unique_ptr<EmbeddingRunner> runner,
                                          std::unique_ptr<model::Tokenizer> tokenizer,
                                          const base::Clock& clock);
  virtual ~Embedder() = default;

  // Texts get the model's special tokens around them; token arrays run as they are. To the sink
  // come: InvalidArgument with the parameter for an input that is empty or longer than
  // context_tokens() (never cut), a token outside the vocabulary, more than kEmbedTokensMax tokens
  // in all, and dimensions beyond the model's; Cancelled; Unavailable when the embedder ends.
  // usage.prompt_tokens counts every token that ran, special ones included; usage.device_us has the
  // request's part of each step by its tokens.
  virtual absl::Status submit(protocol::EmbedRequest request, EmbedSink sink) = 0;
  virtual void cancel(const std::string& request_id) = 0;
  virtual EmbedderStats stats() const = 0;
  // Refuses new requests and waits for the running ones, `grace` at most.
  virtual void drain(base::Duration grace) = 0;
  virtual std::int32_t context_tokens() const = 0;
  virtual std::int32_t dimensions() const = 0;
};

}  // namespace plinth::engine
