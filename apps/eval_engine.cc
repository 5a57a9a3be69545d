#include "apps/eval_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/model_runner.h"
#include "governance/sealed_file.h"
#include "model/chat_template.h"
#include "model/model_file.h"

namespace plinth {

namespace {

using protocol::GenerateEvent;
using protocol::GenerateRequest;

// Of requests that are in the engine at once: a batch that keeps it busy.
constexpr std::size_t kTogether = 64;

// The text and the tokens of requests until all are over.
class Answers {
 public:
  explicit Answers(std::size_t count) : answers_(count), left_(count) {}

  engine::EventSink sink(std::size_t index) {
    return [this, index](std::vector<GenerateEvent> events) {
      for (auto& event : events) take(index, event);
    };
  }
  absl::Status wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return left_ == 0; });
    return status_;
  }
  // Of a request that never came in.
  void refuse(const absl::Status& status) { finish(status); }

  struct Answer {
    std::string text;
    std::vector<protocol::PositionLogprobs> tokens;
  };
  std::vector<Answer>& all() { return answers_; }

 private:
  // By the engine's thread alone, until wait() returns.
  void take(std::size_t index, GenerateEvent& event) {
    if (auto* delta = std::get_if<protocol::Delta>(&event)) {
      answers_[index].text += delta->text;
      for (auto& token : delta->logprobs) answers_[index].tokens.push_back(std::move(token));
    }
    if (const auto* finished = std::get_if<protocol::Finished>(&event)) finish(finished->status);
  }
  void finish(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    if (status_.ok()) status_ = status;
    --left_;
    changed_.notify_all();
  }

  std::vector<Answer> answers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t left_;
  absl::Status status_;
};

// In groups, so that the engine's queue never fills.
absl::StatusOr<std::vector<Answers::Answer>> run_all(engine::Engine& engine,
                                                     std::vector<GenerateRequest> requests) {
  std::vector<Answers::Answer> all;
  for (std::size_t begin = 0; begin < requests.size(); begin += kTogether) {
    const auto count = std::min(kTogether, requests.size() - begin);
    Answers answers(count);
    for (std::size_t i = 0; i < count; ++i) {
      auto& request = requests[begin + i];
      request.request_id = fmt::format("eval-{}", begin + i);
      if (const auto status = engine.submit(std::move(request), answers.sink(i)); !status.ok())
        answers.refuse(status);
    }
    RETURN_IF_ERROR(answers.wait());
    for (auto& answer : answers.all()) all.push_back(std::move(answer));
  }
  return all;
}

}  // namespace

absl::StatusOr<EvalEngine> EvalEngine::open(const std::string& model_path, int threads,
                                            const base::Clock& clock,
                                            const protocol::AdapterRef& adapter) {
  ASSIGN_OR_RETURN(auto file, model::open_model(model_path));
  ASSIGN_OR_RETURN(auto own, model::make_tokenizer(file->tokenizer));
  ASSIGN_OR_RETURN(auto tokenizer, model::make_tokenizer(file->tokenizer));
  std::unique_ptr<model::ChatTemplate> chat_template;
  if (!file->chat_template.empty()) {
    ASSIGN_OR_RETURN(auto parsed, model::ChatTemplate::parse(file->chat_template));
    chat_template = std::make_unique<model::ChatTemplate>(std::move(parsed));
  }
  engine::ModelRunnerOptions options;
  options.threads =
      threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  options.isa = tensor::best_isa();
  options.open_sealed = governance::read_sealed_file;
  ASSIGN_OR_RETURN(auto runner, engine::make_model_runner(std::move(file), options));
  ASSIGN_OR_RETURN(auto engine, engine::Engine::create({}, std::move(runner), std::move(tokenizer),
                                                       std::move(chat_template), clock));
  return EvalEngine(std::move(own), std::move(engine), adapter);
}

absl::StatusOr<std::vector<Scored>> EvalEngine::score(const std::vector<Sequence>& sequences) {
  std::vector<GenerateRequest> requests;
  for (const auto& sequence : sequences) {
    auto& request = requests.emplace_back();
    request.prompt = protocol::TokenPrompt{sequence.tokens};
    request.adapter = adapter_;
    request.max_tokens = 0;
    request.echo = request.logprobs = request.prompt_logprobs = request.ignore_prefix_cache = true;
    request.top_logprobs = 1;
  }
  ASSIGN_OR_RETURN(const auto answers, run_all(*engine_, std::move(requests)));
  std::vector<Scored> scores;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    Scored scored;
    const auto& tokens = answers[i].tokens;
    for (auto t = std::max<std::size_t>(1, sequences[i].from); t < tokens.size(); ++t) {
      scored.log_likelihood += static_cast<double>(tokens[t].chosen.logprob);
      scored.tokens += 1;
      scored.top += !tokens[t].top.empty() && tokens[t].top[0].token == tokens[t].chosen.token;
    }
    scores.push_back(scored);
  }
  return scores;
}

absl::StatusOr<std::vector<std::string>> EvalEngine::answer(std::vector<GenerateRequest> requests) {
  for (auto& request : requests) {
    request.sampling.temperature = 0;
    request.adapter = adapter_;
  }
  ASSIGN_OR_RETURN(auto answers, run_all(*engine_, std::move(requests)));
  std::vector<std::string> texts;
  texts.reserve(answers.size());
  for (auto& answer : answers) texts.push_back(std::move(answer.text));
  return texts;
}

}  // namespace plinth
