#include <fmt/format.h>

#include <memory>

#include "apps/admin_money.h"
#include "apps/command_line.h"
#include "apps/home_database.h"
#include "apps/table.h"
#include "apps/terminal.h"
#include "governance/governance.h"
#include "governance/invoice.h"
#include "governance/money.h"

namespace plinth {

namespace {

struct Arguments {
  std::string organization = governance::kDefaultTenant;
  std::string month, project;
  bool json = false, csv = false;
};

// To the hundredth; --json and --csv have seconds.
std::string unit_hours(std::int64_t unit_seconds) {
  if (unit_seconds == 0) return "-";
  return fmt::format("{:.2f}", static_cast<double>(unit_seconds) / 3600);
}

void print(const governance::Invoice& invoice) {
  std::vector<std::vector<std::string>> rows{
      {"PROJECT", "MODEL", "CLASS", "OF", "TOKENS", "UNIT HOURS", "EXACT", "AMOUNT"}};
  for (const auto& line : invoice.lines) {
    rows.push_back({line.project_name.empty() ? line.project : line.project_name, line.model,
                    line.service_class, line.meter, fmt::format("{}", line.tokens),
                    unit_hours(line.unit_seconds), governance::format_money(line.exact_pico),
                    governance::format_cents(line.cents)});
  }
  rows.push_back({"TOTAL", "", "", "", "", "", governance::format_money(invoice.exact_pico),
                  governance::format_cents(invoice.total_cents)});
  print_table(rows);
  fmt::print(stderr,
             "USD; {} rows of the ledger. Each line is rounded once, half a cent to the even"
             " one; the total is of the rounded lines.\n",
             invoice.rows);
}

absl::Status run(const std::string& home, const Arguments& arguments) {
  governance::InvoiceQuery query;
  query.organization = arguments.organization;
  query.project = arguments.project;
  ASSIGN_OR_RETURN(query.period, governance::parse_month(arguments.month));
  ASSIGN_OR_RETURN(const auto opened, open_home_database(home));
  ASSIGN_OR_RETURN(const auto invoice, governance::make_invoice(*opened.database, query));
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(governance::to_json(invoice)));
  } else if (arguments.csv) {
    fmt::print("{}", governance::to_csv(invoice));
  } else {
    print(invoice);
  }
  return absl::OkStatus();
}

}  // namespace

void add_admin_invoice(Command& admin, const std::string& home, int& exit_code) {
  auto* command = admin.add_subcommand("invoice", "What a month costs, from the ledger's rows");
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  command->add_option("--month", arguments->month, "UTC's: 2026-11")->required();
  command->add_option("--organization", arguments->organization, "Id of it")->capture_default_str();
  command->add_option("--project", arguments->project, "Of one project alone (its id)");
  auto* json = command->add_flag("--json", arguments->json, "As JSON");
  command->add_flag("--csv", arguments->csv, "As CSV")->excludes(json);
  command->callback([arguments, &home, &exit_code] {
    const auto status = run(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
