#include "governance/invoice.h"

#include <fmt/format.h>

#include <map>
#include <tuple>

#include "governance/money.h"
#include "governance/reports/csv.h"
#include "governance/reports/project_names.h"
#include "governance/reports/rated_sum.h"
#include "store/ledger_scan.h"
#include "store/limit_store.h"

namespace plinth::governance {

namespace {

constexpr std::int64_t kPicoPerCent = 10'000'000'000;

// The order of an invoice's lines.
int rank(std::string_view meter) {
  int at = 0;
  for (const auto known :
       {kInput, kCachedInput, kOutput, kCommitment, kOther, kAdjustment, kCredit}) {
    if (meter == known) return at;
    ++at;
  }
  return at;
}

}  // namespace

std::int64_t round_to_cents(__int128 pico) {
  auto cents = pico / kPicoPerCent;
  const auto rest = pico % kPicoPerCent;
  const auto twice = (rest < 0 ? -rest : rest) * 2;
  const bool away = twice > kPicoPerCent || (twice == kPicoPerCent && cents % 2 != 0);
  if (away) cents += pico < 0 ? -1 : 1;
  return static_cast<std::int64_t>(cents);
}

std::string format_cents(std::int64_t cents) {
  const auto absolute =
      cents < 0 ? 0 - static_cast<std::uint64_t>(cents) : static_cast<std::uint64_t>(cents);
  return fmt::format("{}{}.{:02}", cents < 0 ? "-" : "", absolute / 100, absolute % 100);
}

absl::StatusOr<Invoice> make_invoice(store::Database& database, const InvoiceQuery& query) {
  using D = store::UsageDimension;
  ASSIGN_OR_RETURN(const auto names, project_names(database, query.organization));
  if (!query.project.empty() && !names.contains(query.project))
    return base::not_found("no project " + query.project);
  ASSIGN_OR_RETURN(const auto prices, store::LimitStore(database).prices());
  ASSIGN_OR_RETURN(const auto sums,
                   store::ledger_sums(database, {query.organization,
                                                 query.period.from_s,
                                                 query.period.to_s,
                                                 0,
                                                 {D::project, D::model, D::service_class},
                                                 query.project}));
  const auto versions = by_version(prices);
  using Key = std::tuple<std::string, std::string, std::string, int>;
  std::map<Key, InvoiceLine> lines;
  Invoice invoice;
  invoice.query = query;
  for (const auto& sum : sums) {
    invoice.rows += sum.rows;
    invoice.exact_pico += sum.amount_pico;
    for (const auto& part : parts_of(sum, versions)) {
      auto& line = lines[{sum.group[0], sum.group[1], sum.group[2], rank(part.meter)}];
      line.project = sum.group[0];
      line.model = sum.group[1];
      line.service_class = sum.group[2];
      line.meter = part.meter;
      line.tokens += part.tokens;
      line.unit_seconds += part.unit_seconds;
      line.exact_pico += part.amount_pico;
    }
  }
  for (auto& [key, line] : lines) {
    const auto name = names.find(line.project);
    if (name != names.end()) line.project_name = name->second;
    line.cents = round_to_cents(line.exact_pico);
    invoice.total_cents += line.cents;
    invoice.lines.push_back(std::move(line));
  }
  return invoice;
}

base::json::object to_json(const Invoice& invoice) {
  base::json::array lines;
  for (const auto& line : invoice.lines) {
    lines.push_back({{"project_id", line.project},
                     {"project_name", line.project_name},
                     {"model", line.model},
                     {"service_class", line.service_class},
                     {"meter", line.meter},
                     {"tokens", line.tokens},
                     {"unit_seconds", line.unit_seconds},
                     {"exact", format_money(line.exact_pico)},
                     {"amount", format_cents(line.cents)}});
  }
  return {{"object", "invoice"},
          {"organization", invoice.query.organization},
          {"project_id", invoice.query.project.empty() ? base::json::value(nullptr)
                                                       : base::json::value(invoice.query.project)},
          {"period_start", format_time(invoice.query.period.from_s)},
          {"period_end", format_time(invoice.query.period.to_s)},
          {"currency", "usd"},
          {"lines", std::move(lines)},
          {"total", format_cents(invoice.total_cents)},
          {"exact", format_money(invoice.exact_pico)},
          {"ledger_rows", invoice.rows}};
}

std::string to_csv(const Invoice& invoice) {
  std::string text = csv_row({"project_id", "project_name", "model", "service_class", "meter",
                              "tokens", "unit_seconds", "exact", "amount", "currency"});
  for (const auto& line : invoice.lines) {
    text += csv_row({csv_text(line.project), csv_text(line.project_name), csv_text(line.model),
                     line.service_class, line.meter, fmt::format("{}", line.tokens),
                     fmt::format("{}", line.unit_seconds), format_money(line.exact_pico),
                     format_cents(line.cents), "usd"});
  }
  return text + csv_row({"total",
                         {},
                         {},
                         {},
                         {},
                         {},
                         {},
                         format_money(invoice.exact_pico),
                         format_cents(invoice.total_cents),
                         "usd"});
}

}  // namespace plinth::governance
