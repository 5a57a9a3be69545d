// The steps of `plinth train` as people see them, and what is kept of them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apps/train_run.h"
#include "apps/training_report.h"
#include "base/clock.h"

namespace plinth {

using Facts = std::vector<std::pair<std::string, std::string>>;

// Speaks and writes on rank 0 alone.
class TrainLog {
 public:
  // bytes_per_token: of `valid`. The references outlive it.
  TrainLog(const TrainOptions& options, train::Trainer& trainer, train::Objective& valid,
           double bytes_per_token, const base::Clock& clock);

  // Where the folder's run goes on, what it left is read first.
  absl::Status begin();
  // To the last step.
  absl::Status run();
  // report.html and README.md beside the model, whose path is given.
  absl::Status leave_report(const std::string& model, const Facts& facts);

 private:
  std::string results() const { return options_.folder + "/results.csv"; }
  absl::Status save() const;
  absl::Status show(const train::StepReport& report);

  const TrainOptions& options_;
  train::Trainer& trainer_;
  train::Objective& valid_;
  const double bytes_per_token_;
  const base::Clock& clock_;
  const bool speaks_;
  const base::TimePoint begun_;
  std::int64_t tokens_ = 0;
  std::string csv_;
  TrainingReport report_;
};

}  // namespace plinth
