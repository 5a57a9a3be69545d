#include "apps/local_models.h"

#include "engine/model_runner.h"
#include "model/model_file.h"

namespace plinth {

namespace {

// Cancels when the API lets go of it. The sink is cut first: it may not be called after that.
class EngineCall final : public cluster::Call {
 public:
  struct Gate {
    std::mutex mutex;
    cluster::GenerateSink sink;  // protected by mutex; empty once the call is over
  };
  EngineCall(engine::Engine* engine, std::string id, std::shared_ptr<Gate> gate)
      : engine_(engine), id_(std::move(id)), gate_(std::move(gate)) {}
  ~EngineCall() override { cancel(); }
  void cancel() override {
    bool live = false;
    {
      std::lock_guard lock(gate_->mutex);
      live = static_cast<bool>(gate_->sink);
      gate_->sink = nullptr;
    }
    if (live && engine_ != nullptr) engine_->cancel(id_);
  }

 private:
  engine::Engine* engine_;
  const std::string id_;
  const std::shared_ptr<Gate> gate_;  // shared with the engine's loop, which may outlive the call
};

}  // namespace

absl::Status LocalModels::load(const cluster::ModelLibrary& library, const std::string& name) {
  ASSIGN_OR_RETURN(const auto installed, library.find(name));
  ASSIGN_OR_RETURN(auto file, model::open_model(library.open_path(installed)));
  ASSIGN_OR_RETURN(auto tokenizer, model::make_tokenizer(file->tokenizer));
  std::unique_ptr<model::ChatTemplate> chat_template;
  if (!file->chat_template.empty()) {
    auto parsed = model::ChatTemplate::parse(file->chat_template);
    if (!parsed.ok()) return base::annotate(parsed.status(), name);
    chat_template = std::make_unique<model::ChatTemplate>(*std::move(parsed));
  }
  ASSIGN_OR_RETURN(auto runner,
                   engine::make_model_runner(
                       std::move(file), {threads_, tensor::best_isa(), tensor::LinearMode::fast}));
  ASSIGN_OR_RETURN(auto engine,
                   engine::Engine::create(options_, std::move(runner), std::move(tokenizer),
                                          std::move(chat_template), clock_, metrics_));
  Loaded loaded;
  loaded.card.id = name;
  loaded.card.created_unix_seconds = installed.pulled_unix_s;
  loaded.card.generates = true;
  loaded.card.context_tokens = engine->context_tokens();
  loaded.engine = std::move(engine);
  models_[name] = std::move(loaded);
  return absl::OkStatus();
}

void LocalModels::drain(base::Duration grace) {
  for (auto& [name, loaded] : models_) loaded.engine->drain(grace);
}

std::vector<cluster::ModelCard> LocalModels::list() const {
  std::vector<cluster::ModelCard> cards;
  for (const auto& [name, loaded] : models_) cards.push_back(loaded.card);
  return cards;
}

absl::StatusOr<cluster::ModelCard> LocalModels::find(const std::string& name) const {
  const auto found = models_.find(name);
  if (found == models_.end()) return base::not_found(name + " is not loaded");
  return found->second.card;
}

std::unique_ptr<cluster::Call> LocalModels::generate(protocol::GenerateRequest request,
                                                     cluster::GenerateSink sink) {
  const auto gate = std::make_shared<EngineCall::Gate>();
  gate->sink = std::move(sink);
  const std::string id = request.request_id;
  const auto forward = [gate](std::vector<protocol::GenerateEvent> events) {
    std::lock_guard lock(gate->mutex);
    if (!gate->sink) return;
    const bool last = std::holds_alternative<protocol::Finished>(events.back());
    gate->sink(std::move(events));
    if (last) gate->sink = nullptr;
  };
  const auto found = models_.find(request.model);
  const auto status = found == models_.end()
                          ? base::not_found(request.model + " is not loaded")
                          : found->second.engine->submit(std::move(request), forward);
  if (!status.ok()) forward({protocol::Finished{status, {}}});
  return std::make_unique<EngineCall>(found == models_.end() ? nullptr : found->second.engine.get(),
                                      id, gate);
}

std::unique_ptr<cluster::Call> LocalModels::embed(protocol::EmbedRequest, cluster::EmbedSink sink) {
  sink(base::unimplemented("embedding models are not supported yet"));
  return nullptr;
}

}  // namespace plinth
