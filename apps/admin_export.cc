#include <fmt/format.h>

#include <memory>

#include "apps/admin_money.h"
#include "apps/command_line.h"
#include "apps/home_database.h"
#include "apps/output_file.h"
#include "apps/terminal.h"
#include "governance/focus_export.h"
#include "governance/governance.h"
#include "governance/money.h"
#include "governance/usage_event.h"
#include "store/usage_store.h"

namespace plinth {

namespace {

struct Arguments {
  std::string organization = governance::kDefaultTenant;
  std::string month, focus, events;
  std::string issuer = "Plinth", source = "urn:plinth:ledger";
};

absl::Status export_focus(const HomeDatabase& opened, const governance::Period& month,
                          const Arguments& arguments) {
  ASSIGN_OR_RETURN(auto file, OutputFile::create(arguments.focus));
  ASSIGN_OR_RETURN(
      const auto totals,
      governance::export_focus(*opened.database, {arguments.organization, month, arguments.issuer},
                               [&](std::string_view row) { return file.write(row); }));
  RETURN_IF_ERROR(file.finish());
  fmt::print(stderr, "{}: {} rows of FOCUS 1.2, {} USD billed\n", arguments.focus, totals.rows,
             governance::format_money(totals.billed_pico));
  return absl::OkStatus();
}

absl::Status export_events(const HomeDatabase& opened, const governance::Period& month,
                           const Arguments& arguments) {
  ASSIGN_OR_RETURN(auto rows, store::CostStore(*opened.database).costs());
  const governance::DeviceCosts costs(std::move(rows));
  ASSIGN_OR_RETURN(auto file, OutputFile::create(arguments.events));
  std::int64_t events = 0;
  absl::Status written;
  RETURN_IF_ERROR(store::UsageStore(*opened.database)
                      .each_row(arguments.organization, month.from_s * 1000, month.to_s * 1000,
                                [&](const store::LedgerRow& row) {
                                  if (!written.ok()) return;
                                  ++events;
                                  written = file.write(base::to_json(governance::to_cloud_event(
                                                           row, arguments.source, costs)) +
                                                       "\n");
                                }));
  RETURN_IF_ERROR(written);
  RETURN_IF_ERROR(file.finish());
  fmt::print(stderr, "{}: {} CloudEvents\n", arguments.events, events);
  return absl::OkStatus();
}

absl::Status run(const std::string& home, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto month, governance::parse_month(arguments.month));
  if (arguments.focus.empty() && arguments.events.empty())
    return base::invalid_argument(
        "nothing to export: give --focus FILE.csv or --events FILE.jsonl");
  if (arguments.issuer.empty()) return base::invalid_argument("--issuer names nobody");
  ASSIGN_OR_RETURN(const auto opened, open_home_database(home));
  if (!arguments.focus.empty()) RETURN_IF_ERROR(export_focus(opened, month, arguments));
  if (!arguments.events.empty()) RETURN_IF_ERROR(export_events(opened, month, arguments));
  return absl::OkStatus();
}

}  // namespace

void add_admin_export(Command& admin, const std::string& home, int& exit_code) {
  auto* command = admin.add_subcommand("export", "A month for other tools: FOCUS 1.2, CloudEvents");
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  command->add_option("--month", arguments->month, "UTC's: 2026-11")->required();
  command->add_option("--organization", arguments->organization, "Id of it")->capture_default_str();
  command->add_option("--focus", arguments->focus, "Charges as CSV of FOCUS 1.2 (- = stdout)");
  command->add_option("--events", arguments->events,
                      "Requests as CloudEvents 1.0, one a line (- = stdout)");
  command->add_option("--issuer", arguments->issuer, "Who invoices, in FOCUS")
      ->capture_default_str();
  command->add_option("--source", arguments->source, "The events' source: a URI of yours")
      ->capture_default_str();
  command->callback([arguments, &home, &exit_code] {
    const auto status = run(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
