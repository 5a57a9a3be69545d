// What the API sees of the data plane: models by name, and calls on them. The fleet of workers is
// the real one (cluster/fleet.h); fake_replica.h answers from a script.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "protocol/embed.h"
#include "protocol/generate.h"
#include "protocol/sampling_defaults.h"

namespace plinth::cluster {

struct ModelCard {
  std::string id;  // what clients call
  std::int64_t created_unix_seconds = 0;
  std::string owned_by = "plinth";
  bool generates = false;  // chat and completions
  bool embeds = false;
  std::int32_t context_tokens = 0;  // 0 until loaded
  protocol::SamplingDefaults sampling = {};
  std::string base = {};  // of an adapter: the model that it is served over
};

// A call in flight. Destroying it cancels; cancel() is idempotent and safe from any thread.
class Call {
 public:
  virtual ~Call() = default;
  virtual void cancel() = 0;
  // Lets a held request run that has said what it costs, if so many tokens are pinned still. Where
  // they are not, or a worker died since then, it is prepared again, and to be committed again.
  virtual void commit(std::int32_t pinned_tokens) = 0;
};

// Called from the service's own threads, in order, never after the Finished event; must not block.
using GenerateSink = std::function<void(std::vector<protocol::GenerateEvent>)>;
using EmbedSink = std::function<void(absl::StatusOr<protocol::EmbedResult>)>;

// Thread-safe.
class ModelService {
 public:
  virtual ~ModelService() = default;
  virtual std::vector<ModelCard> list() const = 0;
  // NotFound for a name that is not installed.
  virtual absl::StatusOr<ModelCard> find(const std::string& name) const = 0;
  // Never blocks: loading on first use and queueing happen behind it. Errors come as the Finished
  // event; ResourceExhausted there means a full queue (503).
  virtual std::unique_ptr<Call> generate(protocol::GenerateRequest request, GenerateSink sink) = 0;
  virtual std::unique_ptr<Call> embed(protocol::EmbedRequest request, EmbedSink sink) = 0;
  // True when the models that must be loaded before ready are.
  virtual bool ready() const = 0;
};

}  // namespace plinth::cluster
