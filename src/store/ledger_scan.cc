#include "store/ledger_scan.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/limits.h"

namespace plinth::store {

namespace {

// Sums of numbers in two parts, which cannot overflow before they are put together again.
constexpr std::int64_t kPart = 1'000'000'000;

std::vector<std::string> months_of(Sql& sql) {
  std::vector<std::string> months;
  sql.each("select month from ledger_month where month > '0001' order by month", {}, 1,
           [&](const SqlRow& row) { months.push_back(row.text(0)); });
  return months;
}

void scan_month(Sql& sql, const std::string& month, const std::string& organization,
                std::int64_t from_ms, std::int64_t to_ms,
                const std::function<void(const LedgerRow&)>& take) {
  const auto statement = fmt::format(
      "select {} from ledger_{} where organization = ? and time_ms >= ? and time_ms < ?"
      " order by time_ms, id",
      ledger_columns(), month);
  for (auto at = from_ms; at < to_ms; at += kScanWindow.count()) {
    sql.each(statement, {organization, at, std::min(to_ms, at + kScanWindow.count())},
             kLedgerColumns, [&](const SqlRow& row) { take(to_ledger_row(row)); });
  }
}

std::string sums_statement(const LedgerSumQuery& query, std::vector<SqlValue>& values) {
  const std::string bucket = query.bucket_s == 0
                                 ? fmt::format("{}", query.from_s)
                                 : fmt::format("time_ms/1000-(time_ms/1000)%{}", query.bucket_s);
  std::string groups;
  for (const auto dimension : query.group_by) groups += fmt::format("{},", column_of(dimension));
  std::string where = "organization = ? and time_ms >= ? and time_ms < ?";
  values = {query.waited_over_us, query.organization, query.from_s * 1000, query.to_s * 1000};
  if (!query.project.empty()) {
    where += " and project = ?";
    values.emplace_back(query.project);
  }
  // PostgreSQL would take a bare number in "group by" for a column's place.
  return fmt::format(
      "select bucket,{0}kind,price_version,count(*),sum(input_tokens),sum(cached_tokens),"
      "sum(output_tokens),sum(device_us),sum(case when device_us>0 then 1 else 0 end),"
      "sum(case when queue_us>? then 1 else 0 end),"
      "sum(case when kind='commitment' then choices else 0 end),"
      "sum(amount_pico/{1}),sum(amount_pico%{1})"
      " from (select {2} as bucket,{0}kind,price_version,input_tokens,cached_tokens,output_tokens,"
      "device_us,queue_us,choices,amount_pico from ledger where {3}) as chosen"
      " group by bucket,{0}kind,price_version order by bucket,{0}kind,price_version",
      groups, kPart, bucket, where);
}

}  // namespace

void read_one_moment(Sql& sql) {
  // A transaction of SQLite does.
  if (sql.dialect() == Dialect::postgresql)
    sql.run("set transaction isolation level repeatable read");
}

void scan_ledger(Sql& sql, const std::string& organization, std::int64_t from_ms,
                 std::int64_t to_ms, const std::function<void(const LedgerRow&)>& take) {
  for (const auto& month : months_of(sql)) {
    const auto bounds = ledger_month_bounds_ms(month);
    const auto from = std::max(from_ms, bounds.first), to = std::min(to_ms, bounds.second);
    if (from < to) scan_month(sql, month, organization, from, to, take);
  }
}

std::optional<std::int64_t> newest_ledger_ms(Sql& sql) {
  auto months = months_of(sql);
  for (auto month = months.rbegin(); month != months.rend(); ++month) {
    const auto row = sql.first("select max(time_ms) from ledger_" + *month, {}, 1);
    if (row && row->maybe_integer(0)) return row->maybe_integer(0);
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<LedgerSum>> ledger_sums(Database& database,
                                                   const LedgerSumQuery& query) {
  std::vector<LedgerSum> sums;
  RETURN_IF_ERROR(database.read("sum up the ledger", [&](Sql& sql) {
    sums.clear();
    std::vector<SqlValue> values;
    const auto statement = sums_statement(query, values);
    const auto groups = query.group_by.size();
    sql.each(statement, values, groups + 13, [&](const SqlRow& row) {
      LedgerSum sum;
      sum.bucket_start_s = row.integer(0);
      for (std::size_t i = 0; i < groups; ++i) sum.group.push_back(row.text(1 + i));
      std::size_t at = 1 + groups;
      sum.kind = row.text(at++);
      for (auto* number : {&sum.price_version, &sum.rows, &sum.input_tokens, &sum.cached_tokens,
                           &sum.output_tokens, &sum.device_us, &sum.timed_rows, &sum.waited_rows,
                           &sum.unit_seconds}) {
        *number = row.integer(at++);
      }
      sum.amount_pico = __int128{row.integer(at)} * kPart + row.integer(at + 1);
      sums.push_back(std::move(sum));
    });
    return absl::OkStatus();
  }));
  return sums;
}

}  // namespace plinth::store
