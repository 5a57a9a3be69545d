// The margin report as JSON and as tables.
#include <fmt/format.h>

#include "governance/invoice.h"
#include "governance/margin_report.h"
#include "governance/money.h"

namespace plinth::governance {

namespace {

std::string cents(__int128 pico) { return format_cents(round_to_cents(pico)); }

std::string percent(double part) { return fmt::format("{:.1f} %", part * 100); }

std::string margin_share(const MarginLine& line) {
  if (line.price_pico == 0) return "-";
  return percent(static_cast<double>(line.price_pico - line.cost_pico) /
                 static_cast<double>(line.price_pico));
}

std::vector<std::string> row_of(const MarginLine& line, const std::string& name) {
  return {name,
          line.model,
          fmt::format("{}", line.requests),
          fmt::format("{:.1f}", static_cast<double>(line.device_us) / 1e6),
          cents(line.price_pico),
          cents(line.cost_pico),
          cents(line.price_pico - line.cost_pico),
          margin_share(line)};
}

base::json::object object_of(const MarginLine& line) {
  return {{"project_id", line.project},
          {"project_name", line.project_name},
          {"model", line.model},
          {"requests", line.requests},
          {"timed_requests", line.timed_requests},
          {"device_seconds", static_cast<double>(line.device_us) / 1e6},
          {"price", format_money(line.price_pico)},
          {"cost", format_money(line.cost_pico)},
          {"margin", format_money(line.price_pico - line.cost_pico)}};
}

std::string rows_of(const MarginReport& report) {
  return fmt::format("rows of the ledger of {} from {} until {}", report.organization,
                     format_time(report.period.from_s), format_time(report.period.to_s));
}

}  // namespace

base::json::object to_json(const MarginReport& report) {
  base::json::array lines;
  for (const auto& line : report.lines) lines.push_back(object_of(line));
  const auto rows = rows_of(report);
  return {{"object", "report.margin"},
          {"organization", report.organization},
          {"period_start", format_time(report.period.from_s)},
          {"period_end", format_time(report.period.to_s)},
          {"currency", "usd"},
          {"lines", std::move(lines)},
          {"total", object_of(report.total)},
          {"utilisation", report.utilisation()},
          {"capacity_device_seconds", static_cast<double>(report.capacity_us) / 1e6},
          {"capacity_cost", format_money(report.capacity_pico)},
          {"idle_cost", format_money(report.idle_pico())},
          {"device_seconds_without_cost", static_cast<double>(report.uncosted_us) / 1e6},
          {"sources",
           {{"price", "sum of amount_pico of " + rows},
            {"cost", "sum of device_us of " + rows + ", by device_cost of their time"},
            {"requests", "count of kind settle of " + rows},
            {"timed_requests", "those of them with device_us above 0"},
            {"capacity_cost", "device_cost: devices * hours * cost of an hour, until now"}}}};
}

std::vector<ReportTable> to_tables(const MarginReport& report) {
  ReportTable table;
  table.title = "Margin by project and model";
  table.columns = {"PROJECT", "MODEL", "REQUESTS", "DEVICE S",
                   "PRICE",   "COST",  "MARGIN",   "OF PRICE"};
  for (const auto& line : report.lines) {
    table.rows.push_back(
        row_of(line, line.project_name.empty() ? line.project : line.project_name));
  }
  table.rows.push_back(row_of(report.total, "TOTAL"));
  const auto rows = rows_of(report);
  table.notes = {"PRICE: sum of amount_pico of " + rows + ".",
                 "COST: their device_us by what `plinth admin cost list` shows for their time.",
                 fmt::format("{} of {} requests have a measured device time; the others cost"
                             " nothing here.",
                             report.total.timed_requests, report.total.requests)};
  ReportTable devices;
  devices.title = "Devices";
  devices.columns = {"", "VALUE"};
  devices.rows = {
      {"device hours paid", fmt::format("{:.2f}", static_cast<double>(report.capacity_us) / 3.6e9)},
      {"their cost", cents(report.capacity_pico)},
      {"utilisation", percent(report.utilisation())},
      {"idle cost", cents(report.idle_pico())}};
  devices.notes = {"Paid: declared devices times hours since they were declared, until now."};
  if (report.uncosted_us > 0) {
    devices.notes.push_back(
        fmt::format("{:.1f} device seconds are from before the first declared cost.",
                    static_cast<double>(report.uncosted_us) / 1e6));
  }
  return {std::move(table), std::move(devices)};
}

}  // namespace plinth::governance
