#include "store/ledger_table.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <map>
#include <set>

namespace plinth::store {

namespace {

struct Column {
  const char* name;
  bool is_text;
};
constexpr Column kColumns[] = {
    {"id", true},
    {"time_ms", false},
    {"organization", true},
    {"project", true},
    {"api_key", true},
    {"user_id", true},
    {"deployment", true},
    {"model", true},
    {"operation", true},
    {"service_class", true},
    {"kind", true},
    {"status", true},
    {"choices", false},
    {"input_tokens", false},
    {"cached_tokens", false},
    {"output_tokens", false},
    {"queue_us", false},
    {"device_us", false},
    {"price_version", false},
    {"amount_pico", false},
};
static_assert(std::size(kColumns) == kLedgerColumns);

// Of one statement on PostgreSQL, where each is a round trip; longer ones are no faster.
constexpr std::size_t kRowsPerStatement = 128;

std::string declarations() {
  std::string all;
  for (const auto& column : kColumns) {
    all += fmt::format("{}{} {} not null", all.empty() ? "" : ", ", column.name,
                       column.is_text ? "text" : "bigint");
  }
  return all + ", primary key (time_ms, id)";
}

std::tm utc(std::int64_t time_ms) { return fmt::gmtime(static_cast<std::time_t>(time_ms / 1000)); }

std::string month_of(std::int64_t time_ms) { return fmt::format("{:%Y_%m}", utc(time_ms)); }

// First millisecond of the month that is `later` months after the one of time_ms.
std::int64_t month_start_ms(std::int64_t time_ms, int later) {
  std::tm date = utc(time_ms);
  date.tm_mday = 1;
  date.tm_hour = date.tm_min = date.tm_sec = 0;
  date.tm_mon += later;
  return std::int64_t{::timegm(&date)} * 1000;
}

void create_view(Sql& sql) {
  std::string parts;
  sql.each("select month from ledger_month order by month", {}, 1, [&](const SqlRow& row) {
    parts += fmt::format("{}select {} from ledger_{}", parts.empty() ? "" : " union all ",
                         ledger_columns(), row.text(0));
  });
  sql.run("drop view if exists ledger");
  sql.run("create view ledger as " + parts);
}

// Of gateways that come to a new month together one makes its table; the others wait for it.
void ensure_month(Sql& sql, std::int64_t time_ms) {
  const std::string month = month_of(time_ms);
  if (sql.first("select month from ledger_month where month = ?", {month}, 1)) return;
  if (sql.run("insert into ledger_month values (?) on conflict do nothing", {month}) == 0) return;
  if (sql.dialect() == Dialect::postgresql) {
    sql.run(fmt::format("create table ledger_{} partition of ledger for values from ({}) to ({})",
                        month, month_start_ms(time_ms, 0), month_start_ms(time_ms, 1)));
    return;
  }
  sql.run(fmt::format("create table ledger_{} ({})", month, declarations()));
  sql.run(
      fmt::format("create index ledger_{0}_by_organization on ledger_{0} (organization, "
                  "time_ms)",
                  month));
  create_view(sql);
}

void add_values(const LedgerRow& row, std::vector<SqlValue>& values) {
  values.insert(values.end(),
                {row.id,        row.time_ms,       row.organization,  row.project,
                 row.api_key,   row.user_id,       row.deployment,    row.model,
                 row.operation, row.service_class, row.kind,          row.status,
                 row.choices,   row.input_tokens,  row.cached_tokens, row.output_tokens,
                 row.queue_us,  row.device_us,     row.price_version, row.amount_pico});
}

// The names of those that are new. SQLite looks names of values up one by one, so that long
// statements take the square of their length.
std::set<std::string> insert_one_by_one(Sql& sql, const std::string& table,
                                        std::span<const LedgerRow* const> rows) {
  std::vector<std::vector<SqlValue>> values(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) add_values(*rows[i], values[i]);
  const auto changed =
      sql.run_for_each(fmt::format("insert into {} ({}) values {} on conflict do nothing", table,
                                   ledger_columns(), row_marks(1, kLedgerColumns)),
                       values);
  std::set<std::string> fresh;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (changed[i] > 0) fresh.insert(rows[i]->id);
  }
  return fresh;
}

// Rows of one month: the names of those that are new.
std::set<std::string> insert(Sql& sql, const std::string& month,
                             std::span<const LedgerRow* const> rows) {
  if (sql.dialect() == Dialect::sqlite) return insert_one_by_one(sql, "ledger_" + month, rows);
  std::set<std::string> fresh;
  for (std::size_t at = 0; at < rows.size(); at += kRowsPerStatement) {
    const auto part = rows.subspan(at, std::min(kRowsPerStatement, rows.size() - at));
    std::vector<SqlValue> values;
    values.reserve(part.size() * kLedgerColumns);
    for (const auto* row : part) add_values(*row, values);
    sql.each(fmt::format("insert into ledger ({}) values {} on conflict do nothing returning id",
                         ledger_columns(), row_marks(part.size(), kLedgerColumns)),
             values, 1, [&](const SqlRow& row) { fresh.insert(row.text(0)); });
  }
  return fresh;
}

}  // namespace

std::string ledger_columns() {
  std::string all;
  for (const auto& column : kColumns)
    all += fmt::format("{}{}", all.empty() ? "" : ",", column.name);
  return all;
}

void create_ledger(Sql& sql) {
  if (sql.dialect() == Dialect::postgresql) {
    sql.run("create table ledger (" + declarations() + ") partition by range (time_ms)");
    sql.run("create index ledger_by_organization on ledger (organization, time_ms)");
    return;
  }
  // So that the view is there before the first row.
  sql.run(fmt::format("create table ledger_0000_00 ({})", declarations()));
  sql.run("insert into ledger_month values ('0000_00')");
  create_view(sql);
}

std::pair<std::int64_t, std::int64_t> ledger_month_bounds_ms(const std::string& month) {
  std::tm date{};
  // Ours alone are in the table: "2026_11".
  date.tm_year = std::stoi(month.substr(0, 4)) - 1900;
  date.tm_mon = std::stoi(month.substr(5)) - 1;
  date.tm_mday = 1;
  const auto start_ms = std::int64_t{::timegm(&date)} * 1000;
  return {start_ms, month_start_ms(start_ms, 1)};
}

void ensure_ledger_month(Sql& sql, std::int64_t time_ms) { ensure_month(sql, time_ms); }

std::vector<const LedgerRow*> append_ledger(Sql& sql, std::span<const LedgerRow> rows) {
  std::map<std::string, std::vector<const LedgerRow*>> by_month;
  for (const auto& row : rows) by_month[month_of(row.time_ms)].push_back(&row);
  std::vector<const LedgerRow*> fresh;
  for (const auto& [month, of_month] : by_month) {
    ensure_month(sql, of_month.front()->time_ms);
    auto names = insert(sql, month, of_month);
    for (const auto* row : of_month) {
      // Erased: the same row twice in one group is one row.
      if (names.erase(row->id) > 0) fresh.push_back(row);
    }
  }
  return fresh;
}

LedgerRow to_ledger_row(const SqlRow& row) {
  LedgerRow out;
  std::size_t at = 0;
  out.id = row.text(at++);
  out.time_ms = row.integer(at++);
  for (auto* text : {&out.organization, &out.project, &out.api_key, &out.user_id, &out.deployment,
                     &out.model, &out.operation, &out.service_class, &out.kind, &out.status}) {
    *text = row.text(at++);
  }
  for (auto* number : {&out.choices, &out.input_tokens, &out.cached_tokens, &out.output_tokens,
                       &out.queue_us, &out.device_us, &out.price_version, &out.amount_pico}) {
    *number = row.integer(at++);
  }
  return out;
}

}  // namespace plinth::store
