#include "apps/tuning_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/escaping.h"
#include "apps/tuning_key.h"
#include "apps/tuning_segment.h"
#include "base/file.h"
#include "base/log.h"
#include "governance/random_bytes.h"

namespace plinth {

namespace {

constexpr std::size_t kRunnerBytes = 12;  // no two homes are ever called the same
// Where the database or the disk failed: as often a job is tried again.
constexpr std::chrono::seconds kRetry{5};

}  // namespace

absl::StatusOr<std::string> runner_name(const std::string& folder) {
  RETURN_IF_ERROR(base::make_folders(folder, 0700));
  const auto path = folder + "/runner";
  if (auto name = base::read_file(path, 256); name.ok() && !name->empty()) return name;
  ASSIGN_OR_RETURN(const auto random, governance::system_random_bytes(kRunnerBytes));
  const std::string name = absl::BytesToHexString(base::to_absl(random));
  RETURN_IF_ERROR(base::write_file_atomic(path, name, 0600));
  return name;
}

absl::StatusOr<std::unique_ptr<TuningService>> TuningService::start(
    const TuningServiceOptions& options, const TuningParts& parts) {
  std::unique_ptr<TuningService> made(new TuningService(options, parts));
  RETURN_IF_ERROR(base::make_folders(options.folder, 0700));
  RETURN_IF_ERROR(parts.governance.fine_tuning().take_over(options.runner));
  for (int i = 0; i < options.jobs; ++i)
    made->threads_.emplace_back([&service = *made] { service.run(); });
  made->threads_.emplace_back([&service = *made] { service.keep_swept(); });
  return made;
}

TuningService::~TuningService() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void TuningService::run() {
  for (;;) {
    const bool worked = run_next();
    std::unique_lock lock(mutex_);
    const auto wait = worked ? base::Duration(0) : options_.poll;
    if (stopped_.wait_for(lock, wait, [&] { return stopping_; })) return;
  }
}

void TuningService::keep_swept() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    sweep();
    stopped_.wait_for(lock, options_.poll, [&] { return stopping_; });
  }
}

// Folders of jobs that were over before a process of theirs could see it, and of jobs that wait
// with files that nobody can read any more.
void TuningService::sweep() {
  std::error_code error;
  std::vector<std::string> ids;
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder, error)) {
    const auto id = entry.path().filename().string();
    if (id.starts_with("ftjob-") && !running_.contains(id)) ids.push_back(id);
  }
  if (ids.empty()) return;
  const auto open = parts_.governance.fine_tuning().open_jobs();
  if (!open.ok()) return;
  for (const auto& id : ids) {
    const auto job =
        std::find_if(open->begin(), open->end(), [&](const auto& row) { return row.id == id; });
    if (job == open->end()) {
      forget_tuning_folder(parts_.governance, id, options_.folder + "/" + id);
      continue;
    }
    TuningSegment waits(options_, parts_, *job, [] { return false; });
    if (const auto status = waits.fail_if_lost(); !status.ok())
      LOG(warn, "[tuning] {}: {}", id, status.ToString());
  }
}

bool TuningService::run_next() {
  store::TuningJobRow job;
  {
    std::unique_lock lock(mutex_);
    const auto next = parts_.governance.fine_tuning().next(options_.runner);
    if (!next.ok()) LOG(warn, "[tuning] the queue cannot be read: {}", next.status().ToString());
    if (!next.ok() || !*next) return false;
    job = **next;
    // One that was resumed while its former process still ends.
    stopped_.wait(lock, [&] { return !running_.contains(job.id); });
    running_.insert(job.id);
  }
  TuningSegment segment(options_, parts_, job, [this] {
    std::lock_guard lock(mutex_);
    return stopping_;
  });
  auto status = segment.run();
  if (!status.ok()) {
    LOG(error, "[tuning] {}: {}", job.id, status.ToString());
    // It counts, so that what cannot work does not go on for ever.
    const auto counted =
        parts_.governance.fine_tuning().crashed(job.id, std::string(base::message(status)));
    if (!counted.ok()) LOG(error, "[tuning] {}: {}", job.id, counted.ToString());
  }
  std::unique_lock lock(mutex_);
  running_.erase(job.id);
  stopped_.notify_all();
  if (!status.ok()) stopped_.wait_for(lock, kRetry, [&] { return stopping_; });
  return true;
}

}  // namespace plinth
