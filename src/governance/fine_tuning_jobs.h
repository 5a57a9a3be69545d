// Fine-tuning jobs of projects and what becomes of them:
//
//   validating_files -> queued -> running -> succeeded | failed
//
// Any of the first three may be paused or cancelled; resume() puts a paused job back into the
// queue. A runner claims a job with next(), runs a process of it, and says how that ended; it looks
// at the job meanwhile and ends the process of one that is not its any more.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "governance/random_bytes.h"
#include "governance/tuning_limits.h"
#include "store/tuning_rows.h"

namespace plinth::governance {

inline constexpr char kTuningValidating[] = "validating_files";
inline constexpr char kTuningQueued[] = "queued";
inline constexpr char kTuningRunning[] = "running";
inline constexpr char kTuningPaused[] = "paused";
inline constexpr char kTuningSucceeded[] = "succeeded";
inline constexpr char kTuningFailed[] = "failed";
inline constexpr char kTuningCancelled[] = "cancelled";

bool is_over(const store::TuningJobRow& job);
// "training_files" were found good.
bool is_validated(const store::TuningJobRow& job);

struct TuningSpec {
  std::string organization, project, model, training_file, validation_file;
  base::json::object request;  // method, suffix, seed, metadata
};

struct TuningError {
  std::string code, message, param;  // param "" = none
};

struct TuningResult {
  std::string tuned_model, result_file;
  std::int64_t trained_tokens = 0;
};

// Thread-safe.
class FineTuningJobs {
 public:
  // The references outlive it. `clock` is the database's.
  FineTuningJobs(store::Database& database, const base::Clock& clock, RandomBytes random,
                 const store::TuningLimits& limits)
      : rows_(database), clock_(clock), random_(std::move(random)), limits_(limits) {}

  // For the API. NotFound: "Could not find fine tune: ID". FailedPrecondition where it makes no
  // sense for a job as it is.
  absl::StatusOr<store::TuningJobRow> create(const TuningSpec& spec);
  absl::StatusOr<store::TuningJobRow> find(const std::string& project, const std::string& id) {
    return rows_.find(project, id);
  }
  absl::StatusOr<store::Page<store::TuningJobRow>> list(
      const std::string& project, const store::PageRequest& page,
      const store::TuningRows::Wanted& wanted = nullptr) {
    return rows_.list(project, page, wanted);
  }
  absl::StatusOr<store::Page<store::TuningEventRow>> events(const std::string& project,
                                                            const std::string& id,
                                                            const store::PageRequest& page);
  absl::StatusOr<store::Page<store::TuningCheckpointRow>> checkpoints(
      const std::string& project, const std::string& id, const store::PageRequest& page);
  absl::StatusOr<store::TuningJobRow> cancel(const std::string& project, const std::string& id);
  absl::StatusOr<store::TuningJobRow> pause(const std::string& project, const std::string& id);
  absl::StatusOr<store::TuningJobRow> resume(const std::string& project, const std::string& id);
  // Forgets a job that is over; what it made stays.
  absl::Status remove(const std::string& project, const std::string& id);

  // For the runner of that name: the home that has the folders of its jobs.
  // Its jobs that ran when it ended go back into the queue. Once, before next().
  absl::Status take_over(const std::string& runner);
  // The next one to be checked or run, as the runner's own; nothing where nothing waits. Jobs that
  // were claimed by another runner stay that one's. Files are checked before anything runs; then
  // the project's turn is next that had none for the longest time.
  absl::StatusOr<std::optional<store::TuningJobRow>> next(const std::string& runner);
  // All that are not over.
  absl::StatusOr<std::vector<store::TuningJobRow>> open_jobs() { return rows_.open_jobs(); }
  // As it is now: the runner's process is to end where it is not `status` any more.
  absl::StatusOr<std::string> status(const store::TuningJobRow& job);
  // Adds what a process took; also where it was paused or cancelled meanwhile.
  absl::Status add_time(const std::string& id, std::int64_t device_ms);
  // Each is nothing to a job that was cancelled meanwhile, nor to a paused one, except that a job
  // whose last step was done is over in any case but cancelled.
  absl::Status validated(const std::string& id);
  absl::Status resolved(const std::string& id, const base::json::object& hyperparameters);
  absl::Status estimated(const std::string& id, std::int64_t finish_s);
  // The process ended without a word: again into the queue, or failed where it was once too often.
  absl::Status crashed(const std::string& id, const std::string& how);
  // Stopped after a checkpoint, as it was asked to: into the queue where it is still running.
  absl::Status stopped(const std::string& id);
  // False where the job was over before.
  absl::StatusOr<bool> failed(const std::string& id, const TuningError& error);
  absl::StatusOr<bool> succeeded(const std::string& id, const TuningResult& result);

  absl::Status add_event(const std::string& id, std::string_view level, std::string_view message,
                         const std::optional<base::json::object>& metrics = {});
  absl::Status add_checkpoint(const std::string& id, std::int64_t step, const std::string& model,
                              const base::json::object& metrics);
  // "ft:BASE:PROJECT:SUFFIX:ID", the same for a job each time.
  static std::string tuned_model_name(const store::TuningJobRow& job);
  // Of that model as it was after so many steps.
  static std::string checkpoint_name(std::string_view model, std::int64_t step);

 private:
  absl::StatusOr<std::string> new_id(std::string_view prefix) const;
  absl::StatusOr<store::TuningJobRow> to_status(const std::string& project, const std::string& id,
                                                const store::TuningRows::Change& change,
                                                std::string_view event);

  store::TuningRows rows_;
  const base::Clock& clock_;
  const RandomBytes random_;
  const store::TuningLimits limits_;
};

}  // namespace plinth::governance
