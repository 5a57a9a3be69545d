// What a run of training leaves to be read: a page with its curves, and a card of the model.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace plinth {

// One step; what is not known of it, since another process did it, is NaN.
struct ReportedStep {
  std::int64_t step = 0;
  double loss = 0, accuracy = 0, learning_rate = 0, gradient_norm = 0;
  double tokens_per_second = 0;
};

struct TrainingReport {
  std::string title;  // "smollm2, tuned with adapters of rank 16"
  std::string base;   // the name of the model that it began with; "" where it began with none
  std::string ended;  // when, as people read it
  // What was set and found, in the order in which it is to be read: "examples", "120".
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<ReportedStep> steps;
  std::vector<std::string> how_to_use;  // commands
};

// One page with everything in it: no script, nothing that is fetched.
std::string training_page(const TrainingReport& report);

// A model card in Markdown, with the front matter that hubs read. Mitchell et al., "Model cards for
// model reporting", 2019.
std::string model_card(const TrainingReport& report);

// The lines of a run's CSV as steps, without their speed; what is no such line is left out.
std::vector<ReportedStep> steps_of_csv(const std::string& csv);

// report.html and README.md in `folder`.
absl::Status write_training_report(const std::string& folder, const TrainingReport& report);

}  // namespace plinth
