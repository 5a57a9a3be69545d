#include "apps/audit_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "apps/command_line.h"
#include "apps/home.h"
#include "apps/settings_flags.h"
#include "apps/terminal.h"
#include "base/file.h"
#include "base/json.h"
#include "governance/audit_proof.h"
#include "governance/audit_verify.h"
#include "store/database.h"

namespace plinth {

namespace {

struct AuditArguments {
  std::vector<std::string> folders;
  std::string file;  // an export
  std::int64_t index = 0;
  bool json = false;
};

// What the settings name, opened for reading alone in effect.
struct Log {
  std::string home;
  std::unique_ptr<store::Database> database;
  std::vector<std::string> folders;
};

absl::StatusOr<Log> open_log(const std::string& home_flag, const AuditArguments& arguments) {
  Log log;
  ASSIGN_OR_RETURN(log.home, find_home(home_flag));
  ASSIGN_OR_RETURN(const auto settings, load_settings(log.home, nullptr));
  auto where = settings.text("store.database");
  if (where.empty()) {
    where = log.home + "/plinth.db";
    // Opening one would make it.
    struct stat info {};
    if (::stat(where.c_str(), &info) != 0) return base::errno_status(errno, where);
  }
  ASSIGN_OR_RETURN(log.database, store::Database::open(where));
  log.folders = arguments.folders;
  if (log.folders.empty()) {
    const auto& copies = settings.text("audit.copy_to");
    log.folders = {copies.empty() ? log.home + "/audit-checkpoints" : copies};
  }
  return log;
}

base::json::object to_object(const governance::AuditVerdict& verdict) {
  base::json::array keys;
  for (const auto& key : verdict.keys) keys.emplace_back(key);
  base::json::object out{{"ok", !verdict.finding},
                         {"records", verdict.records},
                         {"checkpoints", verdict.checkpoints},
                         {"sealed", verdict.sealed},
                         {"head", verdict.head},
                         {"keys", std::move(keys)}};
  if (verdict.finding) {
    out["index"] = verdict.finding->index;
    out["problem"] = verdict.finding->problem;
    out["message"] = verdict.finding->message;
  }
  return out;
}

absl::Status verify(const std::string& home, const AuditArguments& arguments, int& exit_code) {
  absl::StatusOr<governance::AuditVerdict> verdict;
  if (arguments.file.empty()) {
    ASSIGN_OR_RETURN(const auto log, open_log(home, arguments));
    verdict = governance::verify_audit(*log.database, log.home, log.folders);
  } else {
    verdict = governance::verify_audit_export(arguments.file, arguments.folders);
  }
  RETURN_IF_ERROR(verdict.status());
  exit_code = verdict->finding ? 1 : 0;
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(to_object(*verdict)));
  } else if (verdict->finding) {
    fmt::print("wrong   {}\nbefore  {} records are right\n", verdict->finding->message,
               verdict->records);
  } else {
    fmt::print("whole   {} records, {} of them sealed by {} checkpoints\nhead    {}\nkeys    {}\n",
               verdict->records, verdict->sealed, verdict->checkpoints, verdict->head,
               fmt::join(verdict->keys, ", "));
  }
  return absl::OkStatus();
}

absl::Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const auto count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::errno_status(errno, path);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

// Its owner's alone: it says who did what from where.
absl::Status write_export(const std::string& home, const AuditArguments& arguments) {
  ASSIGN_OR_RETURN(const auto log, open_log(home, arguments));
  const base::UniqueFd file(
      ::open(arguments.file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return base::errno_status(errno, arguments.file);
  ASSIGN_OR_RETURN(
      const auto records,
      governance::export_audit(*log.database, log.home, log.folders, [&](std::string_view line) {
        return write_all(file.get(), fmt::format("{}\n", line), arguments.file);
      }));
  if (::fsync(file.get()) != 0) return base::errno_status(errno, arguments.file);
  if (arguments.json) {
    fmt::print("{}\n", base::to_json({{"file", arguments.file}, {"records", records}}));
  } else {
    fmt::print("{} records are in {}\n", records, arguments.file);
  }
  return absl::OkStatus();
}

absl::Status prove(const std::string& home, const AuditArguments& arguments) {
  ASSIGN_OR_RETURN(const auto log, open_log(home, arguments));
  ASSIGN_OR_RETURN(const auto proof, governance::prove_audit_record(*log.database, log.home,
                                                                    log.folders, arguments.index));
  fmt::print("{}\n", proof);
  return absl::OkStatus();
}

}  // namespace

void add_audit_command(Command& admin, const std::string& home, int& exit_code) {
  const auto arguments = std::make_shared<AuditArguments>();  // shared by the callbacks
  auto* audit = admin.add_subcommand("audit", "Prove and export the audit log, without a service");
  audit->require_subcommand();
  auto* check = audit->add_subcommand("verify", "Name the first record that is not what it was");
  check->add_option("--export", arguments->file, "An export instead of the database");
  auto* out =
      audit->add_subcommand("export", "Records, checkpoints and public keys, as JSON lines");
  out->add_option("file", arguments->file, "A file that does not exist")->required();
  auto* show =
      audit->add_subcommand("prove", "One record and the proof that it was sealed, as JSON");
  show->add_option("index", arguments->index, "Its place in the log")->required();
  for (auto* command : {check, out, show}) {
    command->add_option("--checkpoints", arguments->folders,
                        "Folders of checkpoints and public keys (default: audit.copy_to)");
    if (command != show) command->add_flag("--json", arguments->json, "One JSON object");
  }
  check->callback([arguments, &home, &exit_code] {
    if (const auto status = verify(home, *arguments, exit_code); !status.ok())
      exit_code = report(status);
  });
  show->callback([arguments, &home, &exit_code] {
    const auto status = prove(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
  out->callback([arguments, &home, &exit_code] {
    const auto status = write_export(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
