#include "governance/equity_report.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "governance/reports/project_names.h"
#include "store/ledger_scan.h"

namespace plinth::governance {

namespace {

void add(EquityLine& line, const std::string& id, const store::LedgerSum& sum) {
  line.id = id;
  line.requests += sum.rows;
  line.tokens += sum.input_tokens + sum.output_tokens;
  line.device_us += sum.device_us;
  line.starved += sum.waited_rows;
}

double jain_of(const std::vector<EquityLine>& lines, std::int64_t EquityLine::*number) {
  std::vector<double> values;
  for (const auto& line : lines) values.push_back(static_cast<double>(line.*number));
  return jain_index(values);
}

double share(std::int64_t part, std::int64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

base::json::array array_of(const std::vector<EquityLine>& lines, const EquityLine& total) {
  base::json::array all;
  for (const auto& line : lines) {
    all.push_back({{"id", line.id},
                   {"name", line.name},
                   {"requests", line.requests},
                   {"tokens", line.tokens},
                   {"token_share", share(line.tokens, total.tokens)},
                   {"device_seconds", static_cast<double>(line.device_us) / 1e6},
                   {"device_share", share(line.device_us, total.device_us)},
                   {"starved_requests", line.starved}});
  }
  return all;
}

std::string rows_of(const EquityReport& report) {
  return fmt::format("rows of kind settle of the ledger of {} from {} until {}",
                     report.organization, format_time(report.period.from_s),
                     format_time(report.period.to_s));
}

std::string bound_of(const EquityReport& report) {
  return fmt::format("queue_us above {:g} s", static_cast<double>(report.starved_over_us) / 1e6);
}

ReportTable table_of(std::string title, std::string first, const std::vector<EquityLine>& lines,
                     const EquityLine& total) {
  ReportTable table;
  table.title = std::move(title);
  table.columns = {std::move(first), "REQUESTS", "TOKENS", "SHARE", "DEVICE S", "SHARE", "STARVED"};
  for (const auto& line : lines) {
    table.rows.push_back({line.name.empty() ? line.id : line.name, fmt::format("{}", line.requests),
                          fmt::format("{}", line.tokens),
                          fmt::format("{:.1f} %", 100 * share(line.tokens, total.tokens)),
                          fmt::format("{:.1f}", static_cast<double>(line.device_us) / 1e6),
                          fmt::format("{:.1f} %", 100 * share(line.device_us, total.device_us)),
                          fmt::format("{}", line.starved)});
  }
  return table;
}

}  // namespace

double jain_index(std::span<const double> shares) {
  double sum = 0, squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return squares == 0 ? 1 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

absl::StatusOr<EquityReport> make_equity_report(store::Database& database,
                                                const std::string& organization,
                                                const Period& period,
                                                std::int64_t starved_over_us) {
  using D = store::UsageDimension;
  ASSIGN_OR_RETURN(const auto names, project_names(database, organization));
  ASSIGN_OR_RETURN(const auto sums, store::ledger_sums(database, {organization,
                                                                  period.from_s,
                                                                  period.to_s,
                                                                  0,
                                                                  {D::service_class, D::project},
                                                                  "",
                                                                  starved_over_us}));
  EquityReport report;
  report.organization = organization;
  report.period = period;
  report.starved_over_us = starved_over_us;
  std::map<std::string, EquityLine> classes, projects;
  for (const auto& sum : sums) {
    if (sum.kind != "settle") continue;
    add(classes[sum.group[0]], sum.group[0], sum);
    add(projects[sum.group[1]], sum.group[1], sum);
    add(report.total, "", sum);
  }
  for (auto& [id, line] : classes) report.classes.push_back(std::move(line));
  for (auto& [id, line] : projects) {
    const auto name = names.find(id);
    if (name != names.end()) line.name = name->second;
    report.projects.push_back(std::move(line));
  }
  report.jain_tokens = jain_of(report.projects, &EquityLine::tokens);
  report.jain_device = jain_of(report.projects, &EquityLine::device_us);
  return report;
}

base::json::object to_json(const EquityReport& report) {
  const auto rows = rows_of(report);
  return {{"object", "report.equity"},
          {"organization", report.organization},
          {"period_start", format_time(report.period.from_s)},
          {"period_end", format_time(report.period.to_s)},
          {"service_classes", array_of(report.classes, report.total)},
          {"projects", array_of(report.projects, report.total)},
          {"jain_index_tokens", report.jain_tokens},
          {"jain_index_device_seconds", report.jain_device},
          {"starved_requests", report.total.starved},
          {"starved_over_seconds", static_cast<double>(report.starved_over_us) / 1e6},
          {"sources",
           {{"tokens", "sum of input_tokens and output_tokens of " + rows},
            {"device_seconds", "sum of device_us of " + rows},
            {"starved_requests", "count of " + bound_of(report) + " of " + rows},
            {"jain_index", "over projects that had a request"}}}};
}

std::vector<ReportTable> to_tables(const EquityReport& report) {
  auto classes = table_of("By service class", "CLASS", report.classes, report.total);
  auto projects = table_of("By project", "PROJECT", report.projects, report.total);
  projects.notes = {
      fmt::format("Jain index over {} projects: {:.3f} of tokens, {:.3f} of device time (1 = all"
                  " have the same).",
                  report.projects.size(), report.jain_tokens, report.jain_device),
      "TOKENS, DEVICE S: sums of input_tokens and output_tokens, and of device_us, of " +
          rows_of(report) + ".",
      "STARVED: those of them with " + bound_of(report) + "."};
  return {std::move(classes), std::move(projects)};
}

}  // namespace plinth::governance
