#include <fmt/format.h>

#include <map>
#include <memory>
#include <tuple>

#include "apps/admin_money.h"
#include "apps/command_line.h"
#include "apps/home_database.h"
#include "apps/home_lock.h"
#include "apps/table.h"
#include "apps/terminal.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "governance/governance.h"
#include "governance/money.h"
#include "governance/rerating.h"
#include "store/usage_store.h"

namespace plinth {

namespace {

// Adjustments of one transaction.
constexpr std::size_t kRowsAtOnce = 1'000;
constexpr std::size_t kPriceFileBytesMax = 16u << 20;

struct Arguments {
  std::string organization = governance::kDefaultTenant;
  std::string from, to, prices;
  bool apply = false, json = false;
};

// What people compare: a project's model in a class.
struct Line {
  std::int64_t requests = 0;
  __int128 before_pico = 0, after_pico = 0;
};
using Lines = std::map<std::tuple<std::string, std::string, std::string>, Line>;

absl::StatusOr<governance::Period> period_of(const Arguments& arguments) {
  governance::Period period;
  ASSIGN_OR_RETURN(period.from_s, governance::parse_day(arguments.from));
  ASSIGN_OR_RETURN(period.to_s, governance::parse_day(arguments.to));
  if (period.from_s >= period.to_s)
    return base::invalid_argument("--to is not after --from: it is the first day that is left out");
  const auto now_s = base::RealClock().unix_seconds();
  if (arguments.apply && period.to_s > now_s - now_s % 86'400)
    return base::invalid_argument("--apply takes days that are over: give a --to until today");
  return period;
}

absl::StatusOr<governance::PriceBook> prices_of(const HomeDatabase& opened,
                                                const Arguments& arguments) {
  if (arguments.prices.empty()) {
    ASSIGN_OR_RETURN(auto rows, store::LimitStore(*opened.database).prices());
    return governance::PriceBook(std::move(rows));
  }
  ASSIGN_OR_RETURN(const auto text, base::read_file(arguments.prices, kPriceFileBytesMax));
  return governance::parse_price_book(text);
}

void print(const Lines& lines, const Line& total, bool json) {
  if (json) {
    base::json::array all;
    for (const auto& [key, line] : lines) {
      all.push_back({{"project_id", std::get<0>(key)},
                     {"model", std::get<1>(key)},
                     {"service_class", std::get<2>(key)},
                     {"requests", line.requests},
                     {"charged", governance::format_money(line.before_pico)},
                     {"by_prices", governance::format_money(line.after_pico)},
                     {"difference", governance::format_money(line.after_pico - line.before_pico)}});
    }
    fmt::print("{}\n", base::to_json(all));
    return;
  }
  std::vector<std::vector<std::string>> rows{
      {"PROJECT", "MODEL", "CLASS", "REQUESTS", "CHARGED", "BY PRICES", "DIFFERENCE"}};
  const auto add = [&](const std::string& project, const std::string& model,
                       const std::string& service_class, const Line& line) {
    rows.push_back({project, model, service_class, fmt::format("{}", line.requests),
                    governance::format_money(line.before_pico),
                    governance::format_money(line.after_pico),
                    governance::format_money(line.after_pico - line.before_pico)});
  };
  for (const auto& [key, line] : lines)
    add(std::get<0>(key), std::get<1>(key), std::get<2>(key), line);
  add("TOTAL", "", "", total);
  print_table(rows);
}

absl::Status append(store::Database& database, const std::vector<store::LedgerRow>& rows) {
  store::UsageStore usage(database);
  const std::span<const store::LedgerRow> all(rows);
  for (std::size_t at = 0; at < all.size(); at += kRowsAtOnce) {
    RETURN_IF_ERROR(usage.append(all.subspan(at, std::min(kRowsAtOnce, all.size() - at))));
  }
  return absl::OkStatus();
}

absl::Status run(const std::string& home, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto period, period_of(arguments));
  ASSIGN_OR_RETURN(const auto opened, open_home_database(home));
  base::UniqueFd lock;
  // A service on SQLite keeps what budgets have left in its memory; those on PostgreSQL read it
  // again.
  if (arguments.apply && !store::names_postgresql(opened.where)) {
    ASSIGN_OR_RETURN(lock, lock_home(opened.home));
  }
  ASSIGN_OR_RETURN(const auto prices, prices_of(opened, arguments));
  Lines lines;
  Line total;
  std::vector<store::LedgerRow> adjustments;
  RETURN_IF_ERROR(governance::rerate(
      *opened.database, arguments.organization, period, prices,
      [&](const governance::ReratedHour& hour) {
        for (auto* line :
             {&lines[{hour.of.project, hour.of.model, hour.of.service_class}], &total}) {
          line->requests += hour.requests;
          line->before_pico += hour.before_pico;
          line->after_pico += hour.after_pico;
        }
        if (hour.before_pico != hour.after_pico)
          adjustments.push_back(governance::adjustment_of(hour));
      }));
  print(lines, total, arguments.json);
  if (!arguments.apply) return absl::OkStatus();
  RETURN_IF_ERROR(append(*opened.database, adjustments));
  fmt::print(stderr, "{} adjustments were added to the ledger\n", adjustments.size());
  return absl::OkStatus();
}

}  // namespace

void add_admin_rerate(Command& admin, const std::string& home, int& exit_code) {
  auto* command = admin.add_subcommand("rerate", "What requests would have cost by other prices");
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  command->add_option("--from", arguments->from, "First day, UTC's: 2026-11-01")->required();
  command->add_option("--to", arguments->to, "The day after the last: 2026-12-01")->required();
  command->add_option("--prices", arguments->prices,
                      "A file as `plinth admin price list --json` prints it (default: the price"
                      " book)");
  command->add_option("--organization", arguments->organization, "Id of it")->capture_default_str();
  command->add_flag("--apply", arguments->apply,
                    "Add adjustments to the ledger that make up the difference");
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([arguments, &home, &exit_code] {
    const auto status = run(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
