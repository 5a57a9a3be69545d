// The models of one home, loaded in this process: what the API calls until workers of their own
// host them.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cluster/model_library.h"
#include "cluster/model_service.h"
#include "engine/engine.h"

namespace plinth {

class LocalModels final : public cluster::ModelService {
 public:
  LocalModels(const base::Clock& clock, base::Metrics& metrics, engine::EngineOptions options,
              int threads)
      : clock_(clock), metrics_(metrics), options_(options), threads_(threads) {}

  // Opens, packs and starts an installed chat model.
  absl::Status load(const cluster::ModelLibrary& library, const std::string& name);
  void set_ready() { ready_ = true; }
  void drain(base::Duration grace);

  std::vector<cluster::ModelCard> list() const override;
  absl::StatusOr<cluster::ModelCard> find(const std::string& name) const override;
  std::unique_ptr<cluster::Call> generate(protocol::GenerateRequest request,
                                          cluster::GenerateSink sink) override;
  std::unique_ptr<cluster::Call> embed(protocol::EmbedRequest request,
                                       cluster::EmbedSink sink) override;
  bool ready() const override { return ready_; }

 private:
  struct Loaded {
    cluster::ModelCard card;
    std::unique_ptr<engine::Engine> engine;
  };
  const base::Clock& clock_;
  base::Metrics& metrics_;
  const engine::EngineOptions options_;
  const int threads_;
  std::map<std::string, Loaded> models_;  // filled before ready, constant afterwards
  std::atomic<bool> ready_{false};
};

}  // namespace plinth
