#include "apps/tuning_key.h"

#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "governance/random_bytes.h"

namespace plinth {

namespace {

constexpr char kLost[] =
    "The keys of the project were destroyed, or its content deleted, while the job was at work: "
    "what it had learnt cannot be read any more.";

std::string key_id(const std::string& job) { return "key-" + job; }

// Says that the job's files are sealed: without it a key that is missing was never made.
std::string mark_of(const std::string& folder) { return folder + "/sealed"; }

bool is_sealed(const std::string& folder) {
  std::error_code error;
  return std::filesystem::exists(mark_of(folder), error);
}

absl::StatusOr<std::string> make_key(governance::Governance& governance,
                                     const store::TuningJobRow& job) {
  ASSIGN_OR_RETURN(auto key, governance::system_random_bytes(governance::kStorageKeyBytes));
  RETURN_IF_ERROR(
      governance.content()
          .put({key_id(job.id), job.organization, job.project, governance::kJobKeyContent}, key)
          .status());
  return key;
}

}  // namespace

absl::StatusOr<std::string> tuning_key(governance::Governance& governance,
                                       const store::TuningJobRow& job, const std::string& folder) {
  RETURN_IF_ERROR(check_tuning_key(governance, job.id, folder));
  const auto body = governance.content().open_body(key_id(job.id));
  absl::StatusOr<std::string> key;
  if (absl::IsNotFound(body.status()))
    key = make_key(governance, job);
  else
    key = body.ok() ? body->read(0, governance::kStorageKeyBytes) : body.status();
  RETURN_IF_ERROR(key.status());
  RETURN_IF_ERROR(base::write_file_atomic(mark_of(folder), "", 0600));
  return key;
}

absl::Status check_tuning_key(governance::Governance& governance, const std::string& job,
                              const std::string& folder) {
  if (!is_sealed(folder)) return absl::OkStatus();
  const auto status = governance.content().hand_out(key_id(job)).status();
  const bool lost = absl::IsNotFound(status) || absl::IsFailedPrecondition(status);
  return lost ? base::failed_precondition(kLost) : status;
}

void forget_tuning_folder(governance::Governance& governance, const std::string& job,
                          const std::string& folder) {
  auto& content = governance.content();
  auto removed = content.remove(key_id(job));
  // A legal hold keeps it; it goes once that is released.
  if (absl::IsFailedPrecondition(removed))
    removed = content.set_expiry(key_id(job), governance.clock().unix_seconds());
  if (!removed.ok() && !absl::IsNotFound(removed)) {
    LOG(warn, "[tuning] the key of {} is still there: {}", job, removed.ToString());
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

}  // namespace plinth
