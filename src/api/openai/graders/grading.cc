#include "api/openai/graders/grading.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "api/error_map.h"
#include "api/openai/graders/formula.h"
#include "api/openai/graders/grader_limits.h"
#include "api/openai/graders/similarity.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

constexpr const char* kErrors[] = {"formula_parse_error",
                                   "invalid_variable_error",
                                   "sample_parse_error",
                                   "model_grader_parse_error",
                                   "model_grader_refusal_error",
                                   "model_grader_server_error",
                                   "other_error",
                                   "python_grader_runtime_error",
                                   "python_grader_server_error",
                                   "truncated_observation_error",
                                   "unresponsive_reward_error"};
constexpr const char* kDetails[] = {"model_grader_server_error_details",
                                    "python_grader_runtime_error_details",
                                    "python_grader_server_error_type"};

std::string text_at(const Object& from, std::string_view name) {
  return std::string(from.at(name).as_string());
}

struct Range {
  double from = 0, to = 1;
};
Range range_of(const Object& grader) {
  const auto* range = grader.if_contains("range");
  if (range == nullptr || !range->is_array()) return {};
  return {range->get_array()[0].to_number<double>(), range->get_array()[1].to_number<double>()};
}

std::string lower(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return text;
}

double check_string(const std::string& operation, const std::string& input,
                    const std::string& reference) {
  const bool yes = operation == "eq"     ? input == reference
                   : operation == "ne"   ? input != reference
                   : operation == "like" ? input.find(reference) != std::string::npos
                                         : lower(input).find(lower(reference)) != std::string::npos;
  return yes ? 1 : 0;
}

double similarity(const std::string& metric, const std::string& input,
                  const std::string& reference) {
  if (metric == "fuzzy_match") return fuzzy_match(input, reference);
  if (metric == "bleu") return bleu(input, reference);
  if (metric == "gleu") return gleu(input, reference);
  if (metric == "meteor") return meteor(input, reference);
  if (metric == "rouge_l") return rouge_l(input, reference);
  return rouge(metric.back() - '0', input, reference);
}

// Every text of a grader that may have variables.
std::vector<std::pair<std::string, std::string>> texts_of(const Object& grader) {
  std::vector<std::pair<std::string, std::string>> texts;
  if (grader.at("type") != "score_model")
    return {{"input", text_at(grader, "input")}, {"reference", text_at(grader, "reference")}};
  for (const auto& message : grader.at("input").as_array()) {
    const auto& content = message.at("content");
    if (content.is_string()) {
      texts.emplace_back("input", std::string(content.get_string()));
      continue;
    }
    for (const auto& part : content.as_array())
      texts.emplace_back("input", text_at(part.as_object(), "text"));
  }
  return texts;
}

absl::Status wrong_at(const std::string& field, std::string_view why) {
  return parameter_error(fmt::format("Invalid '{}': {}.", field, why), field, "invalid_value");
}

absl::Status check_one(const Object& grader, const std::string& path) {
  for (const auto& [field, text] : texts_of(grader)) {
    const auto good = check_template(text);
    if (!good.ok()) return wrong_at(path + "." + field, base::message(good));
  }
  const auto range = range_of(grader);
  if (!(range.from < range.to)) return wrong_at(path + ".range", "it is empty");
  const auto* metric = grader.if_contains("evaluation_metric");
  if (metric == nullptr || *metric != "cosine") return absl::OkStatus();
  return wrong_at(path + ".evaluation_metric",
                  "cosine needs a model for embeddings, which a grader does not name");
}

// A number alone, or as the "result" or "score" of an object: what else is there is not guessed at.
std::optional<double> score_in(std::string_view said, const Range& range) {
  const auto begin = said.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return std::nullopt;
  said = said.substr(begin, said.find_last_not_of(" \t\r\n") - begin + 1);
  const auto parsed = base::parse_json(said);
  if (!parsed.ok()) return std::nullopt;
  const base::json::value* number = &*parsed;
  if (const auto* object = parsed->if_object()) {
    number = object->if_contains("result");
    if (number == nullptr) number = object->if_contains("score");
  }
  if (number == nullptr || !number->is_number()) return std::nullopt;
  const auto score = number->to_number<double>();
  if (!(score >= range.from && score <= range.to)) return std::nullopt;
  return score;
}

bool is_multi(const Object& grader) { return grader.at("type") == "multi"; }

}  // namespace

absl::Status check_grader(const Object& grader) {
  if (!is_multi(grader)) return check_one(grader, "grader");
  const auto& parts = grader.at("graders").as_object();
  if (parts.empty()) return wrong_at("grader.graders", "there is none");
  for (const auto& part : parts)
    RETURN_IF_ERROR(
        check_one(part.value().as_object(), "grader.graders." + std::string(part.key())));
  const auto formula = Formula::parse(text_at(grader, "calculate_output"));
  if (!formula.ok()) return wrong_at("grader.calculate_output", base::message(formula.status()));
  for (const auto& name : formula->names()) {
    if (!parts.contains(name))
      return wrong_at("grader.calculate_output", fmt::format("there is no grader {}", name));
  }
  return absl::OkStatus();
}

Grading::Grading(Object grader, GradedSample sample)
    : grader_(std::move(grader)), sample_(std::move(sample)) {
  if (is_multi(grader_)) {
    for (const auto& part : grader_.at("graders").as_object())
      parts_.push_back({part.value().as_object(), std::string(part.key()), {}});
  } else {
    parts_.push_back({grader_, "", {}});
  }
  for (auto& part : parts_) prepare(part);
}

void Grading::prepare(Part& part) {
  if (part.grader.at("type") == "score_model") {
    ask(part);
  } else {
    part.score = compare(part.grader);
  }
}

// Nothing where it cannot be made, which is noted.
std::optional<std::string> Grading::text_of(std::string_view text) {
  auto rendered = sample_.render(text);
  if (!rendered.ok()) {
    errors_[absl::IsDataLoss(rendered.status()) ? "sample_parse_error" : "invalid_variable_error"] =
        true;
    return std::nullopt;
  }
  if (rendered->size() > kGradedBytesMax) {
    errors_["other_error"] = true;
    return std::nullopt;
  }
  return *std::move(rendered);
}

std::optional<double> Grading::compare(const Object& grader) {
  const auto input = text_of(text_at(grader, "input"));
  const auto reference = text_of(text_at(grader, "reference"));
  if (!input || !reference) return std::nullopt;
  if (grader.at("type") == "string_check")
    return check_string(text_at(grader, "operation"), *input, *reference);
  return similarity(text_at(grader, "evaluation_metric"), *input, *reference);
}

void Grading::ask(const Part& part) {
  const auto range = range_of(part.grader);
  base::json::array messages;
  messages.push_back(
      Object{{"role", "system"},
             {"content", fmt::format("Answer with one number from {} to {} and nothing else.",
                                     range.from, range.to)}});
  for (const auto& message : part.grader.at("input").as_array()) {
    const auto& content = message.at("content");
    std::string whole;
    if (content.is_string()) whole = content.get_string();
    if (const auto* parts = content.if_array())
      for (const auto& one : *parts) whole += text_at(one.as_object(), "text");
    const auto text = text_of(whole);
    if (!text) return;
    const auto role = text_at(message.as_object(), "role");
    messages.push_back(Object{{"role", role == "developer" ? "system" : role}, {"content", *text}});
  }
  ScoreQuestion question{part.key, text_at(part.grader, "model"), base::to_json(messages), {}};
  if (const auto* sampling = part.grader.if_contains("sampling_params");
      sampling != nullptr && sampling->is_object())
    question.sampling = sampling->get_object();
  questions_.push_back(std::move(question));
  part_of_.push_back(static_cast<std::size_t>(&part - parts_.data()));
}

void Grading::answer(std::size_t question, std::string_view said, bool filtered,
                     std::int64_t tokens) {
  auto& part = parts_.at(part_of_.at(question));
  tokens_[questions_[question].model] += tokens;
  if (filtered) {
    errors_["model_grader_refusal_error"] = true;
    return;
  }
  part.score = score_in(said, range_of(part.grader));
  if (!part.score) errors_["model_grader_parse_error"] = true;
}

std::optional<double> Grading::whole(const std::map<std::string, double>& scores,
                                     bool& wrong) const {
  if (!is_multi(grader_)) return parts_.front().score;
  if (scores.size() < parts_.size()) return std::nullopt;
  const auto formula = Formula::parse(text_at(grader_, "calculate_output"));
  const auto value = formula.ok() ? formula->value(scores) : formula.status();
  wrong = !value.ok();
  if (wrong) return std::nullopt;
  return *value;
}

Object Grading::result(double seconds) const {
  Object scores, sub_rewards, errors, usage;
  std::map<std::string, double> by_key;
  for (const auto& part : parts_) {
    if (!part.score) continue;
    scores[text_at(part.grader, "name")] = *part.score;
    by_key[part.key] = *part.score;
    if (is_multi(grader_)) sub_rewards[part.key] = *part.score;
  }
  bool wrong = false;
  const auto reward = whole(by_key, wrong);
  for (const auto* name : kErrors) errors[name] = errors_.contains(name);
  for (const auto* name : kDetails) errors[name] = nullptr;
  if (wrong) errors["formula_parse_error"] = true;
  base::json::value total;
  for (const auto& [model, tokens] : tokens_) {
    usage[model] = tokens;
    total = (total.is_int64() ? total.get_int64() : 0) + tokens;
  }
  return {{"reward", reward.value_or(0)},
          {"metadata",
           {{"name", text_at(grader_, "name")},
            {"type", text_at(grader_, "type")},
            {"errors", std::move(errors)},
            {"execution_time", seconds},
            {"scores", std::move(scores)},
            {"token_usage", total},
            {"sampled_model_name", nullptr}}},
          {"sub_rewards", std::move(sub_rewards)},
          {"model_grader_token_usage_per_model", std::move(usage)}};
}

}  // namespace plinth::api
