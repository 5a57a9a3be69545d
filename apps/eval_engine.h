// A model in this process, to be asked many things at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"
#include "model/tokenizer.h"

namespace plinth {

struct Scored {
  double log_likelihood = 0;         // of the tokens from `from` on, in nats
  std::int64_t tokens = 0, top = 0;  // so many, and of them the likeliest at their place
};

class EvalEngine {
 public:
  // threads 0 = as many as the machine has; adapter: of all requests, id "" = none. The clock
  // outlives it.
  static absl::StatusOr<EvalEngine> open(const std::string& model_path, int threads,
                                         const base::Clock& clock,
                                         const protocol::AdapterRef& adapter = {});

  const model::Tokenizer& tokenizer() const { return *tokenizer_; }
  std::int32_t context_tokens() const { return engine_->context_tokens(); }

  struct Sequence {
    std::vector<std::int32_t> tokens;
    std::size_t from = 1;  // the first token that is scored
  };
  // In the order of `sequences`, each of which has 2 to context_tokens() tokens.
  absl::StatusOr<std::vector<Scored>> score(const std::vector<Sequence>& sequences);
  // What each request says, greedily. What is no fault of the model's ends all.
  absl::StatusOr<std::vector<std::string>> answer(std::vector<protocol::GenerateRequest> requests);

 private:
  EvalEngine(std::unique_ptr<model::Tokenizer> tokenizer, std::unique_ptr<engine::Engine> engine,
             protocol::AdapterRef adapter)
      : tokenizer_(std::move(tokenizer)),
        engine_(std::move(engine)),
        adapter_(std::move(adapter)) {}
  std::unique_ptr<model::Tokenizer> tokenizer_;
  std::unique_ptr<engine::Engine> engine_;
  protocol::AdapterRef adapter_;
};

}  // namespace plinth
