// What a gateway and the process of a fine-tuning job say to each other. The gateway writes the
// task, a line of JSON with the keys of files, and right behind it the bytes of the training and of
// the validation file; nothing of these lies on the disk. The process writes a line of JSON for
// each thing that happens. SIGTERM asks it for a checkpoint and its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "protocol/generate.h"

namespace plinth {

// Where a job leaves a number to the service ("auto").
struct TuningHyperparameters {
  std::optional<std::int64_t> epochs, batch_size;
  std::optional<double> learning_rate_multiplier;
  std::optional<std::int64_t> rank;
  std::optional<double> alpha;
  std::vector<std::string> targets;  // none = left to the service
  bool prefers = false;              // the file has pairs of answers, for DPO
  std::optional<double> beta;        // of DPO
};

struct TuningTask {
  std::string base_name, base_path;
  protocol::AdapterRef adapter;  // that it begins with; id "" = none
  std::string folder;            // of checkpoints and of what the run leaves
  std::string key;               // raw, that they are sealed under; "" = they lie plain
  TuningHyperparameters hyperparameters;
  std::uint64_t seed = 1;
  int threads = 1;
  std::uint64_t train_bytes = 0, valid_bytes = 0;
  bool checks_only = false;
};
std::string to_line(const TuningTask& task);
// InvalidArgument names what is missing or no number.
absl::StatusOr<TuningTask> parse_task(std::string_view line);

// From a request that its declaration has passed; what is missing is as above.
TuningHyperparameters hyperparameters_of(const base::json::object& method);

// A line of a process: which thing happened, and its fields.
struct TuningReport {
  std::string
      event;  // "checked", "begun", "step", "valid", "saved", "finished", "failed", "stopped"
  base::json::object fields;
  std::int64_t integer(std::string_view name) const;  // 0 where there is none
  double number(std::string_view name) const;
  std::string text(std::string_view name) const;
};
std::string to_line(const TuningReport& report);
absl::StatusOr<TuningReport> parse_report(std::string_view line);

// Of one line; a process that writes longer ones is not ours.
inline constexpr std::size_t kTuningLineBytesMax = 1u << 20;
// The header of results.csv, as Azure documents it; and of preferences, where accuracy is of pairs
// and a margin is of their rewards.
inline constexpr char kTuningResultsHead[] =
    "step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy,"
    "full_valid_loss,full_valid_mean_token_accuracy\n";
inline constexpr char kTuningPreferencesHead[] =
    "step,train_loss,train_preference_accuracy,valid_loss,validation_preference_accuracy,"
    "full_valid_loss,full_valid_preference_accuracy,train_reward_margin\n";

}  // namespace plinth
