// A grader and a sample of a model: what to ask of a model that scores, and what comes of it all.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/openai/graders/grader_template.h"
#include "base/json.h"
#include "base/status.h"

namespace plinth::api {

// InvalidArgument at the field that is wrong: a formula, a template, a metric that is not served.
// Schemas have passed `grader` before.
absl::Status check_grader(const base::json::object& grader);

// What a model is to be asked, for one score_model grader.
struct ScoreQuestion {
  std::string grader;  // its key among those of a multi grader; "" = the grader itself
  std::string model;
  std::string messages_json;
  base::json::object sampling;
};

// One run of a grader that check_grader() has passed. Used by one thread at a time.
class Grading {
 public:
  Grading(base::json::object grader, GradedSample sample);

  // In the order in which answer() takes what the models said.
  const std::vector<ScoreQuestion>& questions() const { return questions_; }
  void answer(std::size_t question, std::string_view said, bool filtered, std::int64_t tokens);
  // "reward", "metadata" and the rest, as they are answered.
  base::json::object result(double seconds) const;

 private:
  struct Part {
    base::json::object grader;
    std::string key;
    std::optional<double> score;
  };
  void prepare(Part& part);
  std::optional<std::string> text_of(std::string_view text);
  std::optional<double> compare(const base::json::object& grader);
  void ask(const Part& part);
  std::optional<double> whole(const std::map<std::string, double>& scores, bool& wrong) const;

  const base::json::object grader_;
  const GradedSample sample_;
  std::vector<Part> parts_;
  std::vector<ScoreQuestion> questions_;
  std::vector<std::size_t> part_of_;  // by question
  std::map<std::string, bool> errors_;
  std::map<std::string, std::int64_t> tokens_;  // by model
};

}  // namespace plinth::api
