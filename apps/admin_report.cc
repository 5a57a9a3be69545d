#include <fmt/format.h>

#include <memory>

#include "apps/admin_money.h"
#include "apps/command_line.h"
#include "apps/home_database.h"
#include "apps/output_file.h"
#include "apps/table.h"
#include "apps/terminal.h"
#include "base/clock.h"
#include "governance/equity_report.h"
#include "governance/governance.h"
#include "governance/margin_report.h"

namespace plinth {

namespace {

struct Arguments {
  std::string organization = governance::kDefaultTenant;
  std::string month, html;
  double starved_over_s = 10;
  bool json = false;
};

absl::Status show(const Arguments& arguments, const std::string& title,
                  const std::vector<governance::ReportTable>& tables,
                  const base::json::object& json) {
  if (!arguments.html.empty()) {
    ASSIGN_OR_RETURN(auto file, OutputFile::create(arguments.html));
    RETURN_IF_ERROR(file.write(governance::to_html(title, tables)));
    return file.finish();
  }
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(json));
    return absl::OkStatus();
  }
  for (const auto& table : tables) {
    fmt::print("{}{}\n", &table == &tables.front() ? "" : "\n", table.title);
    std::vector<std::vector<std::string>> rows{table.columns};
    rows.insert(rows.end(), table.rows.begin(), table.rows.end());
    print_table(rows);
    for (const auto& note : table.notes) fmt::print(stderr, "{}\n", note);
  }
  return absl::OkStatus();
}

absl::Status margin(const std::string& home, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto period, governance::parse_month(arguments.month));
  ASSIGN_OR_RETURN(const auto opened, open_home_database(home));
  ASSIGN_OR_RETURN(const auto made,
                   governance::make_margin_report(*opened.database, arguments.organization, period,
                                                  base::RealClock().unix_seconds()));
  return show(arguments, "Margin of " + arguments.month, governance::to_tables(made),
              governance::to_json(made));
}

absl::Status equity(const std::string& home, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto period, governance::parse_month(arguments.month));
  ASSIGN_OR_RETURN(const auto opened, open_home_database(home));
  ASSIGN_OR_RETURN(const auto made, governance::make_equity_report(
                                        *opened.database, arguments.organization, period,
                                        static_cast<std::int64_t>(arguments.starved_over_s * 1e6)));
  return show(arguments, "Equity of " + arguments.month, governance::to_tables(made),
              governance::to_json(made));
}

using Action = absl::Status (*)(const std::string&, const Arguments&);

Command* add(Command& group, const char* name, const char* doc, Action run,
             const std::shared_ptr<Arguments>& arguments, const std::string& home, int& exit_code) {
  auto* command = group.add_subcommand(name, doc);
  command->add_option("--month", arguments->month, "UTC's: 2026-11")->required();
  command->add_option("--organization", arguments->organization, "Id of it")->capture_default_str();
  auto* json = command->add_flag("--json", arguments->json, "As JSON");
  command->add_option("--html", arguments->html, "Write a page that needs nothing else")
      ->excludes(json);
  command->callback([arguments, run, &home, &exit_code] {
    const auto status = run(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
  return command;
}

}  // namespace

void add_admin_report(Command& admin, const std::string& home, int& exit_code) {
  auto* group = admin.add_subcommand("report", "Margin and equity of a month");
  group->require_subcommand();
  const auto arguments = std::make_shared<Arguments>();  // shared by the callbacks that are kept
  add(*group, "margin", "Price, cost and margin by project and model; idle cost", margin, arguments,
      home, exit_code);
  add(*group, "equity", "Shares by service class and project; who waited too long", equity,
      arguments, home, exit_code)
      ->add_option("--starved-over-s", arguments->starved_over_s,
                   "Seconds in the queue from which a request counts as starved")
      ->range(0.0, 86'400.0)
      ->capture_default_str();
}

}  // namespace plinth
