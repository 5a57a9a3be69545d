// Rows of fine-tuning jobs, of what happened to them, and of the checkpoints that they passed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/paging.h"

namespace plinth::store {

struct TuningJobRow {
  std::string id, organization, project;
  std::string model;                           // that it begins with
  std::string training_file, validation_file;  // ids; the second may be ""
  std::string request;                         // JSON: method, suffix, seed, metadata
  std::int64_t created_s = 0;
  // What changes, from here on.
  std::string status;
  std::string runner = {};      // the home that holds its folder; "" = none yet
  std::string progress = "{}";  // JSON: resolved hyperparameters, error
  std::int64_t started_s = 0;   // last; 0 = never
  std::optional<std::int64_t> finished_s = {}, estimated_s = {}, trained_tokens = {};
  std::optional<std::string> tuned_model = {}, result_file = {};
  std::int64_t device_ms = 0;  // of all its processes, by the wall
  std::int64_t crashes = 0;    // processes that ended without a word
  bool operator==(const TuningJobRow&) const = default;
};

struct TuningEventRow {
  std::string id, job;
  std::int64_t created_s = 0;
  std::string level;  // "info", "warn", "error"
  std::string type;   // "message", "metrics"
  std::string message;
  std::string data = "{}";  // JSON
  bool operator==(const TuningEventRow&) const = default;
};

struct TuningCheckpointRow {
  std::string id, job;
  std::int64_t created_s = 0, step = 0;
  std::string model;    // name of the model as it was then
  std::string metrics;  // JSON
  bool operator==(const TuningCheckpointRow&) const = default;
};

// Jobs that are not over, at most.
struct TuningLimits {
  std::int64_t project_max = 0, total_max = 0;
};

// Thread-safe as its Database is. NotFound also where a job is another project's.
class TuningRows {
 public:
  explicit TuningRows(Database& database) : database_(database) {}

  // ResourceExhausted past a limit.
  absl::Status insert(const TuningJobRow& row, const TuningLimits& limits);
  absl::StatusOr<TuningJobRow> find(const std::string& project, const std::string& id);
  // Those of them that are `wanted`; null = all.
  using Wanted = std::function<bool(const TuningJobRow&)>;
  absl::StatusOr<Page<TuningJobRow>> list(const std::string& project, const PageRequest& page,
                                          const Wanted& wanted = nullptr);
  // Those that are not over, in the order in which they came.
  absl::StatusOr<std::vector<TuningJobRow>> open_jobs();
  // Reads a job, has it changed, writes what changes of it; `change` may run again. What it refuses
  // changes nothing. Inside a body of Database it is a part of that.
  using Change = std::function<absl::Status(TuningJobRow&)>;
  absl::StatusOr<TuningJobRow> change(const std::string& id, const Change& change);
  // Forgets it and what happened to it, where `check` allows it.
  absl::Status remove(const std::string& project, const std::string& id,
                      const std::function<absl::Status(const TuningJobRow&)>& check);
  // The newest start of any job of a project; 0 = none ever was.
  absl::StatusOr<std::int64_t> last_start_s(const std::string& project);

  absl::Status add_event(const TuningEventRow& row);
  // The newest `keep` of a job are left.
  absl::Status add_checkpoint(const TuningCheckpointRow& row, std::int64_t keep);
  absl::StatusOr<Page<TuningEventRow>> events(const std::string& job, const PageRequest& page);
  absl::StatusOr<Page<TuningCheckpointRow>> checkpoints(const std::string& job,
                                                        const PageRequest& page);

 private:
  Database& database_;
};

absl::Status no_such_tuning_job(const std::string& id);

}  // namespace plinth::store
