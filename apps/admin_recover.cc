#include "apps/admin_recover.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "apps/command_line.h"
#include "apps/home.h"
#include "apps/home_database.h"
#include "apps/home_lock.h"
#include "apps/settings_flags.h"
#include "apps/terminal.h"
#include "base/json.h"
#include "governance/recovery.h"
#include "net/local_socket.h"

namespace plinth {

namespace {

struct Arguments {
  governance::RecoveryRequest request;
  std::int64_t hours = 0;
  bool json = false;
};

// Where no service runs: what it would do, under the lock that keeps one from starting meanwhile.
absl::StatusOr<governance::RecoveredKey> recover_alone(const std::string& home_flag,
                                                       const governance::RecoveryRequest& request) {
  ASSIGN_OR_RETURN(const auto found, open_home_database(home_flag));
  const auto lock = lock_home(found.home);
  if (!lock.ok()) {
    return base::failed_precondition(
        fmt::format("{}, which does not answer on run/admin.sock to user {}: run this as the user"
                    " that the service runs as, or stop the service",
                    base::message(lock.status()), ::geteuid()));
  }
  ASSIGN_OR_RETURN(const auto settings, load_settings(found.home, nullptr));
  const base::RealClock clock;
  governance::AuditOptions audit;
  audit.copy_to = settings.text("audit.copy_to");
  ASSIGN_OR_RETURN(const auto governance,
                   governance::Governance::open(found.home, *found.database, clock, audit));
  return governance::recover_admin_key(*governance, request, ::getuid());
}

absl::StatusOr<governance::RecoveredKey> recover(const std::string& home_flag,
                                                 const governance::RecoveryRequest& request) {
  ASSIGN_OR_RETURN(const auto home, find_home(home_flag));
  const auto answer = net::ask_local_socket(home + "/run/admin.sock", governance::to_text(request));
  if (answer.ok()) return governance::parse_recovered(*answer);
  return recover_alone(home_flag, request);
}

absl::Status run(const std::string& home, Arguments& arguments) {
  if (arguments.hours > 0) arguments.request.lifetime_s = arguments.hours * 3'600;
  ASSIGN_OR_RETURN(const auto made, recover(home, arguments.request));
  if (arguments.json) {
    fmt::print("{}\n", governance::to_text(made));
  } else {
    fmt::print("{}\n", made.key);
  }
  return absl::OkStatus();
}

}  // namespace

void add_admin_recover(Command& admin, const std::string& home, int& exit_code) {
  auto* command = admin.add_subcommand(
      "recover", "A new admin key without an old one, for the user whose service it is");
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  command->footer(
      "Asks the service of this home over run/admin.sock, or works on the home where none runs."
      " The audit log says which local user asked.");
  command->add_option("--name", arguments->request.name, "Of the key")->capture_default_str();
  command->add_option("--hours", arguments->hours, "How long it is good (default: until deleted)")
      ->range(1, 876'000);
  command->add_option("--organization", arguments->request.organization, "Id of it")
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON object with its id and end");
  command->callback([arguments, &home, &exit_code] {
    const auto status = run(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
