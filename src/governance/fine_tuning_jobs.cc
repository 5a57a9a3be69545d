#include "governance/fine_tuning_jobs.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/escaping.h"

namespace plinth::governance {

namespace {

using Object = base::json::object;
using store::TuningJobRow;

constexpr char kValidated[] = "validated";
constexpr char kHyperparameters[] = "hyperparameters";
constexpr char kError[] = "error";

Object object_of(const std::string& text) {
  auto parsed = base::parse_json(text);
  return parsed.ok() && parsed->is_object() ? parsed->get_object() : Object();
}

void note(TuningJobRow& job, std::string_view name, base::json::value value) {
  auto progress = object_of(job.progress);
  progress[name] = std::move(value);
  job.progress = base::to_json(progress);
}

void back_into_queue(TuningJobRow& job) {
  job.status = is_validated(job) ? kTuningQueued : kTuningValidating;
}

absl::Status makes_no_sense(std::string_view what, const TuningJobRow& job) {
  return base::failed_precondition(
      fmt::format("The fine-tuning job {} is {}: it cannot be {}.", job.id, job.status, what));
}

bool is_at_work(const TuningJobRow& job) {
  return job.status == kTuningValidating || job.status == kTuningQueued ||
         job.status == kTuningRunning;
}

}  // namespace

bool is_over(const TuningJobRow& job) {
  return job.status == kTuningSucceeded || job.status == kTuningFailed ||
         job.status == kTuningCancelled;
}

bool is_validated(const TuningJobRow& job) { return object_of(job.progress).contains(kValidated); }

absl::StatusOr<std::string> FineTuningJobs::new_id(std::string_view prefix) const {
  ASSIGN_OR_RETURN(const auto bytes, random_(kTuningIdBytes));
  return fmt::format("{}{}", prefix, absl::BytesToHexString(base::to_absl(bytes)));
}

std::string FineTuningJobs::tuned_model_name(const TuningJobRow& job) {
  const auto request = object_of(job.request);
  const auto* suffix = request.if_contains("suffix");
  std::string middle;
  if (suffix != nullptr && suffix->is_string()) {
    for (const char c : std::string_view(suffix->get_string())) {
      const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
      middle += plain ? c : '-';
    }
  }
  const auto base = std::string_view(job.model).substr(0, 64);
  return fmt::format("ft:{}:{}:{}:{}",
                     base.starts_with("ft:") ? base.substr(3, base.find(':', 3) - 3) : base,
                     std::string_view(job.project).substr(0, 40), middle,
                     std::string_view(job.id).substr(sizeof "ftjob-" - 1, 2 * kTunedModelIdBytes));
}

std::string FineTuningJobs::checkpoint_name(std::string_view model, std::int64_t step) {
  return fmt::format("{}:ckpt-step-{}", model, step);
}

absl::StatusOr<TuningJobRow> FineTuningJobs::create(const TuningSpec& spec) {
  TuningJobRow row;
  ASSIGN_OR_RETURN(row.id, new_id("ftjob-"));
  row.organization = spec.organization;
  row.project = spec.project;
  row.model = spec.model;
  row.training_file = spec.training_file;
  row.validation_file = spec.validation_file;
  row.request = base::to_json(spec.request);
  row.created_s = clock_.unix_seconds();
  row.status = kTuningValidating;
  RETURN_IF_ERROR(rows_.insert(row, limits_));
  RETURN_IF_ERROR(add_event(row.id, "info", "Created fine-tuning job: " + row.id));
  RETURN_IF_ERROR(add_event(row.id, "info", "Validating training file: " + row.training_file));
  return row;
}

absl::StatusOr<store::Page<store::TuningEventRow>> FineTuningJobs::events(
    const std::string& project, const std::string& id, const store::PageRequest& page) {
  RETURN_IF_ERROR(find(project, id).status());
  return rows_.events(id, page);
}

absl::StatusOr<store::Page<store::TuningCheckpointRow>> FineTuningJobs::checkpoints(
    const std::string& project, const std::string& id, const store::PageRequest& page) {
  RETURN_IF_ERROR(find(project, id).status());
  return rows_.checkpoints(id, page);
}

absl::StatusOr<TuningJobRow> FineTuningJobs::to_status(const std::string& project,
                                                       const std::string& id,
                                                       const store::TuningRows::Change& change,
                                                       std::string_view event) {
  RETURN_IF_ERROR(find(project, id).status());
  ASSIGN_OR_RETURN(auto row, rows_.change(id, change));
  RETURN_IF_ERROR(add_event(id, "info", event));
  return row;
}

absl::StatusOr<TuningJobRow> FineTuningJobs::cancel(const std::string& project,
                                                    const std::string& id) {
  const auto change = [this](TuningJobRow& job) {
    if (is_over(job)) return makes_no_sense("cancelled", job);
    job.status = kTuningCancelled;
    job.finished_s = clock_.unix_seconds();
    job.estimated_s.reset();
    return absl::OkStatus();
  };
  return to_status(project, id, change, "The job was cancelled.");
}

absl::StatusOr<TuningJobRow> FineTuningJobs::pause(const std::string& project,
                                                   const std::string& id) {
  const auto change = [](TuningJobRow& job) {
    if (!is_at_work(job)) return makes_no_sense("paused", job);
    job.status = kTuningPaused;
    job.estimated_s.reset();
    return absl::OkStatus();
  };
  return to_status(project, id, change, "The job was paused.");
}

absl::StatusOr<TuningJobRow> FineTuningJobs::resume(const std::string& project,
                                                    const std::string& id) {
  const auto change = [](TuningJobRow& job) {
    if (job.status != kTuningPaused) return makes_no_sense("resumed", job);
    back_into_queue(job);
    return absl::OkStatus();
  };
  return to_status(project, id, change, "The job was resumed.");
}

absl::Status FineTuningJobs::remove(const std::string& project, const std::string& id) {
  return rows_.remove(project, id, [](const TuningJobRow& job) {
    return is_over(job) ? absl::OkStatus() : makes_no_sense("deleted before it is over", job);
  });
}

absl::Status FineTuningJobs::take_over(const std::string& runner) {
  ASSIGN_OR_RETURN(const auto jobs, rows_.open_jobs());
  for (const auto& job : jobs) {
    if (job.runner != runner || job.status != kTuningRunning) continue;
    RETURN_IF_ERROR(stopped(job.id));
    RETURN_IF_ERROR(add_event(job.id, "warn",
                              "The service was started anew; the job goes on from its last "
                              "checkpoint."));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<TuningJobRow>> FineTuningJobs::next(const std::string& runner) {
  ASSIGN_OR_RETURN(const auto jobs, rows_.open_jobs());
  std::optional<TuningJobRow> chosen;
  std::int64_t chosen_last_s = 0;
  for (const auto& job : jobs) {
    if (!job.runner.empty() && job.runner != runner) continue;
    if (job.status == kTuningValidating) {
      chosen = job;
      break;
    }
    if (job.status != kTuningQueued) continue;
    ASSIGN_OR_RETURN(const auto last_s, rows_.last_start_s(job.project));
    if (chosen && last_s >= chosen_last_s) continue;
    chosen = job;
    chosen_last_s = last_s;
  }
  if (!chosen) return std::nullopt;
  const auto claim = [&](TuningJobRow& job) {
    if (job.status != chosen->status || job.runner != chosen->runner)
      return absl::AbortedError("another was faster");
    job.runner = runner;
    if (job.status == kTuningValidating) return absl::OkStatus();
    job.status = kTuningRunning;
    job.started_s = clock_.unix_seconds();
    return absl::OkStatus();
  };
  auto claimed = rows_.change(chosen->id, claim);
  if (absl::IsAborted(claimed.status())) return std::nullopt;
  if (!claimed.ok()) return claimed.status();
  return *std::move(claimed);
}

absl::StatusOr<std::string> FineTuningJobs::status(const TuningJobRow& job) {
  ASSIGN_OR_RETURN(const auto row, rows_.find(job.project, job.id));
  return row.status;
}

absl::Status FineTuningJobs::add_time(const std::string& id, std::int64_t device_ms) {
  const auto change = [&](TuningJobRow& job) {
    job.device_ms += device_ms;
    return absl::OkStatus();
  };
  return rows_.change(id, change).status();
}

absl::Status FineTuningJobs::validated(const std::string& id) {
  const auto change = [](TuningJobRow& job) {
    note(job, kValidated, true);
    if (job.status == kTuningValidating) job.status = kTuningQueued;
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(rows_.change(id, change).status());
  return add_event(id, "info", "Files validated, moving job to queued state");
}

absl::Status FineTuningJobs::resolved(const std::string& id, const Object& hyperparameters) {
  const auto change = [&](TuningJobRow& job) {
    note(job, kHyperparameters, hyperparameters);
    return absl::OkStatus();
  };
  return rows_.change(id, change).status();
}

absl::Status FineTuningJobs::estimated(const std::string& id, std::int64_t finish_s) {
  const auto change = [&](TuningJobRow& job) {
    if (job.status == kTuningRunning) job.estimated_s = finish_s;
    return absl::OkStatus();
  };
  return rows_.change(id, change).status();
}

absl::Status FineTuningJobs::crashed(const std::string& id, const std::string& how) {
  const auto change = [](TuningJobRow& job) {
    ++job.crashes;
    if (job.status == kTuningRunning) back_into_queue(job);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const auto job, rows_.change(id, change));
  if (job.crashes < kTuningCrashesMax) {
    return add_event(id, "warn",
                     fmt::format("The training process ended by {}; the job goes on from its last "
                                 "checkpoint.",
                                 how));
  }
  const TuningError error{
      "training_process_ended",
      fmt::format("The training process ended {} times, last by {}. Is there enough "
                  "memory? tuning.memory_mib bounds it; a smaller batch takes less.",
                  job.crashes, how),
      ""};
  return failed(id, error).status();
}

absl::Status FineTuningJobs::stopped(const std::string& id) {
  const auto change = [](TuningJobRow& job) {
    if (job.status == kTuningRunning) back_into_queue(job);
    return absl::OkStatus();
  };
  return rows_.change(id, change).status();
}

absl::StatusOr<bool> FineTuningJobs::failed(const std::string& id, const TuningError& error) {
  bool now = false;
  const auto change = [&](TuningJobRow& job) {
    now = !is_over(job);
    if (!now) return absl::OkStatus();
    job.status = kTuningFailed;
    job.finished_s = clock_.unix_seconds();
    job.estimated_s.reset();
    base::json::value param;
    if (!error.param.empty()) param = base::json::string(error.param);
    note(job, kError, {{"code", error.code}, {"message", error.message}, {"param", param}});
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(rows_.change(id, change).status());
  if (now) RETURN_IF_ERROR(add_event(id, "error", error.message));
  return now;
}

absl::StatusOr<bool> FineTuningJobs::succeeded(const std::string& id, const TuningResult& result) {
  bool now = false;
  const auto change = [&](TuningJobRow& job) {
    now = !is_over(job);
    if (!now) return absl::OkStatus();
    job.status = kTuningSucceeded;
    job.finished_s = clock_.unix_seconds();
    job.estimated_s.reset();
    job.tuned_model = result.tuned_model;
    if (!result.result_file.empty()) job.result_file = result.result_file;
    job.trained_tokens = result.trained_tokens;
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(rows_.change(id, change).status());
  if (!now) return false;
  RETURN_IF_ERROR(add_event(id, "info", "New fine-tuned model created"));
  RETURN_IF_ERROR(add_event(id, "info", "The job has successfully completed"));
  return true;
}

absl::Status FineTuningJobs::add_event(const std::string& id, std::string_view level,
                                       std::string_view message,
                                       const std::optional<Object>& metrics) {
  store::TuningEventRow row;
  ASSIGN_OR_RETURN(row.id, new_id("ftevent-"));
  row.job = id;
  row.created_s = clock_.unix_seconds();
  row.level = std::string(level);
  row.type = metrics ? "metrics" : "message";
  row.message = std::string(message);
  row.data = base::to_json(metrics.value_or(Object()));
  return rows_.add_event(row);
}

absl::Status FineTuningJobs::add_checkpoint(const std::string& id, std::int64_t step,
                                            const std::string& model, const Object& metrics) {
  store::TuningCheckpointRow row;
  ASSIGN_OR_RETURN(row.id, new_id("ftckpt-"));
  row.job = id;
  row.created_s = clock_.unix_seconds();
  row.step = step;
  row.model = model;
  row.metrics = base::to_json(metrics);
  return rows_.add_checkpoint(row, kTuningCheckpointsKept);
}

}  // namespace plinth::governance
