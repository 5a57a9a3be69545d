// A ModelService without workers and weights: it answers from a script, so that the API can be
// tested to the byte, in milliseconds, and for what no real model does on demand.
//
//   FakeModelService models({{.id = "tiny", .generates = true}});
//   models.enqueue(FakeReplica::says({"Hel", "lo"}));     // what the next call answers
//   ... POST /v1/chat/completions ...
//   models.requests()[0].sampling.temperature             // what reached the model
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cluster/model_service.h"

namespace plinth::cluster {

// What one call answers.
struct FakeReplica {
  // Delivered in order; each batch in one call of the sink, as the events of one step are.
  std::vector<std::vector<protocol::GenerateEvent>> steps;
  // After the last step nothing more comes until the call is cancelled, as with a slow model.
  bool hangs = false;
  std::int32_t prompt_tokens = 5;  // that a held call says it has
  // What it says that it has pinned, and, where it loses that before it is committed, how
  // much it has left then.
  std::int32_t pinned = 0;
  std::optional<std::int32_t> pinned_left;
  std::optional<absl::StatusOr<protocol::EmbedResult>> embedding;

  // One choice of these texts that ends by itself; five tokens of prompt, one for each text.
  static FakeReplica says(const std::vector<std::string>& texts);
};

// Thread-safe.
class FakeModelService final : public ModelService {
 public:
  explicit FakeModelService(std::vector<ModelCard> cards);
  ~FakeModelService() override;

  // The script of the next call that has none; calls past the scripts say "Hello world" for every
  // choice, and embed every input as (1, 0, 0, 0).
  void enqueue(FakeReplica script);
  // Forgets scripts and requests.
  void reset();
  void set_ready(bool ready);

  std::vector<protocol::GenerateRequest> requests() const;
  std::vector<protocol::EmbedRequest> embed_requests() const;
  // Waits until this many calls were cancelled before their end; false after `limit`.
  bool wait_for_cancelled(int calls, std::chrono::milliseconds limit);

  std::vector<ModelCard> list() const override;
  absl::StatusOr<ModelCard> find(const std::string& name) const override;
  std::unique_ptr<Call> generate(protocol::GenerateRequest request, GenerateSink sink) override;
  std::unique_ptr<Call> embed(protocol::EmbedRequest request, EmbedSink sink) override;
  bool ready() const override;

 private:
  class Line;
  struct State;
  std::optional<FakeReplica> next_script();

  const std::vector<ModelCard> cards_;
  const std::unique_ptr<State> state_;
};

}  // namespace plinth::cluster
