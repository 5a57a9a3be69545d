#include "api/openai/graders/graders.h"

#include <fmt/format.h>

#include <array>
#include <memory>

#include "api/error_map.h"
#include "api/generation.h"
#include "api/openai/admin/listing.h"
#include "api/openai/answer_parts.h"
#include "api/openai/graders/grader_limits.h"
#include "api/openai/graders/grader_schema.h"
#include "api/openai/graders/grading.h"
#include "api/target.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

// Shared by the answer and the call that has yet to find its model.
struct GraderRun {
  Grading grading;
  base::TimePoint begun;
};

double seconds_since(const base::Clock& clock, base::TimePoint begun) {
  return std::chrono::duration<double>(clock.now() - begun).count();
}

// Takes what models said of the sample; a call is a question.
class ScoreAnswer final : public DocumentAnswer {
 public:
  ScoreAnswer(AnswerShape shape, std::shared_ptr<GraderRun> run, const base::Clock& clock)
      : DocumentAnswer(std::move(shape)), run_(std::move(run)), clock_(clock) {}

  void finish(const protocol::Usage& usage, std::string& out) override {
    // The tokens are those of all questions together, which are one model's.
    const std::int64_t tokens = usage.prompt_tokens + usage.completion_tokens;
    for (std::size_t i = 0; i < choices_.size(); ++i)
      run_->grading.answer(i, choices_[i].text, choices_[i].reason == "content_filter",
                           i == 0 ? tokens : 0);
    out += base::to_json(run_->grading.result(seconds_since(clock_, run_->begun)));
  }

 private:
  const std::shared_ptr<GraderRun> run_;
  const base::Clock& clock_;
};

protocol::GenerateRequest request_for(const ScoreQuestion& question) {
  protocol::GenerateRequest request;
  request.model = question.model;
  protocol::ChatPrompt prompt;
  prompt.messages_json = question.messages_json;
  request.prompt = std::move(prompt);
  const auto real = [&](const char* name, double fallback) {
    const auto* value = question.sampling.if_contains(name);
    return value != nullptr && value->is_number() ? value->to_number<double>() : fallback;
  };
  request.sampling.temperature = real("temperature", 0);
  request.sampling.top_p = real("top_p", 1);
  request.max_tokens = static_cast<std::int32_t>(real("max_completions_tokens", kScoreTokensMax));
  if (question.sampling.contains("seed"))
    request.sampling.seed = static_cast<std::uint64_t>(real("seed", 0));
  return request;
}

void score(const ExchangePtr& exchange, const std::shared_ptr<GraderRun>& run, Target target) {
  std::vector<protocol::GenerateRequest> requests;
  for (const auto& question : run->grading.questions()) {
    auto& request = requests.emplace_back(request_for(question));
    std::vector<std::string> left_out;
    apply_deployment(target, left_out, request);
  }
  auto shape = shape_for(*exchange, "grader-", requests.front(), {});
  shape.prompts = requests.size();
  for (auto& request : requests) request.request_id = shape.id;
  generate(exchange, std::move(target), std::move(requests),
           std::make_unique<ScoreAnswer>(std::move(shape), run, exchange->services().clock));
}

absl::StatusOr<std::shared_ptr<GraderRun>> prepare(const Exchange& exchange) {
  ASSIGN_OR_RETURN(auto body, read_body(exchange, grader_run_request_schema()));
  const auto& grader = body.at("grader").as_object();
  RETURN_IF_ERROR(check_grader(grader));
  base::json::value item = Object();
  if (const auto* given = body.if_contains("item"); given != nullptr && !given->is_null())
    item = *given;
  const auto& clock = exchange.services().clock;
  auto run = std::make_shared<GraderRun>(GraderRun{
      Grading(grader, {std::move(item), std::string(body.at("model_sample").as_string())}),
      clock.now()});
  const auto& questions = run->grading.questions();
  for (const auto& question : questions) {
    if (question.model != questions.front().model)
      return parameter_error("Invalid 'grader.graders': graders of one run ask one model.",
                             "grader.graders", "invalid_value");
  }
  return run;
}

absl::StatusOr<Object> validated(const Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto body, read_body(exchange, grader_validate_request_schema()));
  RETURN_IF_ERROR(check_grader(body.at("grader").as_object()));
  return Object{{"grader", body.at("grader")}};
}

using governance::Permission;

constexpr std::array kRows{
    Route{"POST",
          "/v1/fine_tuning/alpha/graders/run",
          Permission::infer,
          run_grader,
          {"runGrader", "What a grader makes of a sample.", grader_run_schema,
           grader_run_request_schema}},
    Route{"POST",
          "/v1/fine_tuning/alpha/graders/validate",
          Permission::infer,
          validate_grader,
          {"validateGrader", "Whether it is one.", grader_validate_schema,
           grader_validate_request_schema}},
};
static_assert(acts_are_recorded(kRows), "an act without an event");

}  // namespace

void run_grader(const ExchangePtr& exchange) {
  auto run = prepare(*exchange);
  if (!run.ok()) return exchange->refuse(run.status());
  const auto& grading = (*run)->grading;
  if (grading.questions().empty()) {
    const auto seconds = seconds_since(exchange->services().clock, (*run)->begun);
    return exchange->send_json(grading.result(seconds));
  }
  const auto model = grading.questions().front().model;
  auto ask = [exchange, run = *run](absl::StatusOr<Target> target) {
    if (!target.ok()) return exchange->refuse(target.status());
    score(exchange, run, *std::move(target));
  };
  open_target(exchange, model, Purpose::generate, "graders", std::move(ask));
}

void validate_grader(const ExchangePtr& exchange) { answer(exchange, validated(*exchange)); }

std::span<const Route> grader_routes() { return kRows; }

}  // namespace plinth::api
