#include <fmt/format.h>

#include <memory>

#include "apps/admin_money.h"
#include "apps/command_line.h"
#include "apps/home_database.h"
#include "apps/table.h"
#include "apps/terminal.h"
#include "base/clock.h"
#include "base/json.h"
#include "governance/device_cost.h"
#include "governance/money.h"
#include "governance/period.h"
#include "store/cost_store.h"

namespace plinth {

namespace {

constexpr std::int64_t kHour = 3600;

struct Arguments {
  std::string amount, from;
  std::int64_t devices = 1;
  bool json = false;
};

absl::Status list(const std::string& home, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto opened, open_home_database(home));
  ASSIGN_OR_RETURN(const auto costs, store::CostStore(*opened.database).costs());
  base::json::array all;
  std::vector<std::vector<std::string>> rows{{"FROM", "DEVICES", "AN HOUR OF ONE"}};
  for (const auto& cost : costs) {
    const auto amount = governance::format_money(cost.device_hour_pico);
    all.push_back({{"effective_at", cost.effective_s},
                   {"devices", cost.devices},
                   {"device_hour", {{"value", amount}, {"currency", "usd"}}}});
    rows.push_back(
        {governance::format_time(cost.effective_s), fmt::format("{}", cost.devices), amount});
  }
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(all));
  } else {
    print_table(rows);
  }
  return absl::OkStatus();
}

absl::Status set(const std::string& home, const Arguments& arguments) {
  store::DeviceCostRow row;
  ASSIGN_OR_RETURN(row.device_hour_pico, governance::parse_money(arguments.amount));
  row.devices = arguments.devices;
  if (arguments.from.empty()) {
    const auto now_s = base::RealClock().unix_seconds();
    row.effective_s = now_s - now_s % kHour;
  } else {
    ASSIGN_OR_RETURN(row.effective_s, governance::parse_day(arguments.from));
  }
  RETURN_IF_ERROR(governance::check_device_cost(row));
  ASSIGN_OR_RETURN(const auto opened, open_home_database(home));
  const auto status = store::CostStore(*opened.database).insert(row);
  if (absl::IsAlreadyExists(status)) {
    return base::failed_precondition(
        fmt::format("there is a cost from {} on; costs are never changed: give a later --from",
                    governance::format_time(row.effective_s)));
  }
  RETURN_IF_ERROR(status);
  fmt::print("{} devices, {} an hour of one, from {} on\n", row.devices,
             governance::format_money(row.device_hour_pico),
             governance::format_time(row.effective_s));
  return absl::OkStatus();
}

using Action = absl::Status (*)(const std::string&, const Arguments&);

Command* add(Command& group, const char* name, const char* doc, Action run,
             const std::shared_ptr<Arguments>& arguments, const std::string& home, int& exit_code) {
  auto* command = group.add_subcommand(name, doc);
  command->callback([arguments, run, &home, &exit_code] {
    const auto status = run(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
  return command;
}

}  // namespace

void add_admin_cost(Command& admin, const std::string& home, int& exit_code) {
  auto* group = admin.add_subcommand("cost", "What devices cost their owner, for the margin");
  group->require_subcommand();
  const auto arguments = std::make_shared<Arguments>();  // shared by the callbacks that are kept
  add(*group, "list", "The costs", list, arguments, home, exit_code)
      ->add_flag("--json", arguments->json, "As JSON");
  auto* command = add(*group, "set", "A new cost from a time on; old ones stay", set, arguments,
                      home, exit_code);
  command->add_option("amount", arguments->amount, "Of an hour of one device: 2.40")->required();
  command->add_option("--devices", arguments->devices, "How many there are")->capture_default_str();
  command->add_option("--from", arguments->from, "Day, UTC's: 2026-11-01 (default: this hour)");
}

}  // namespace plinth
