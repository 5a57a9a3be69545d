#include "store/integrity.h"

#include <fmt/format.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "store/budget_check.h"
#include "store/budget_table.h"
#include "store/ledger_scan.h"
#include "store/limits.h"

namespace plinth::store {

namespace {

constexpr std::int64_t kHour = 3600, kDay = 86'400;
// 2100-01-01: beyond any row.
constexpr std::int64_t kEnd = 4'102'444'800;

// A table of sums and what its rows are the sums of.
struct SumTable {
  const char *name, *time, *keys;
  std::int64_t bucket_s;
};
constexpr SumTable kHours{"usage_hour", "hour_s",
                          "project,api_key,user_id,deployment,model,operation,service_class",
                          kHour};
constexpr SumTable kDays{"usage_day", "day_s", "model,operation,service_class", kDay};

// What rows of one key add up to.
constexpr char kAdded[] =
    "sum(case when kind='settle' then 1 else 0 end) as requests,sum(input_tokens) as input_tokens,"
    "sum(cached_tokens) as cached_tokens,sum(output_tokens) as output_tokens,"
    "sum(amount_pico) as amount_pico,sum(device_us) as device_us";

// `of` is empty, or "and organization = ?".
std::string sums_of_rows(const SumTable& table, std::string_view of) {
  return fmt::format(
      "select organization,time_ms/1000-(time_ms/1000)%{0} as {1},{2},{3} from ledger"
      " where time_ms >= ? and time_ms < ? {4} group by organization,"
      "time_ms/1000-(time_ms/1000)%{0},{2}",
      table.bucket_s, table.time, table.keys, kAdded, of);
}

// Keys whose sums differ: what the rows make minus what the table has is not nothing.
std::string differences_statement(const SumTable& table, std::string_view of) {
  return fmt::format(
      "select organization,{0},{1},sum(requests),sum(amount_pico) from ({2} union all"
      " select organization,{0},{1},-requests,-input_tokens,-cached_tokens,-output_tokens,"
      "-amount_pico,-device_us from {3} where {0} >= ? and {0} < ? {5}) as both_sides"
      " group by organization,{0},{1} having"
      " sum(requests)<>0 or sum(input_tokens)<>0 or sum(cached_tokens)<>0 or sum(output_tokens)<>0"
      " or sum(amount_pico)<>0 or sum(device_us)<>0 order by organization,{0},{1} limit {4}",
      table.time, table.keys, sums_of_rows(table, of), table.name, kDifferencesShown, of);
}

// Of one organization, or of all where it is "".
void find_differences(Sql& sql, const SumTable& table, const std::string& organization,
                      std::int64_t from_s, std::int64_t to_s, std::vector<std::string>& found) {
  std::vector<SqlValue> values{from_s * 1000, to_s * 1000, from_s, to_s};
  if (!organization.empty())
    values = {from_s * 1000, to_s * 1000, organization, from_s, to_s, organization};
  const std::string_view of = organization.empty() ? "" : "and organization = ?";
  const auto keys =
      static_cast<std::size_t>(std::count(table.keys, table.keys + std::strlen(table.keys), ',')) +
      1;
  sql.each(differences_statement(table, of), values, keys + 4, [&](const SqlRow& row) {
    std::string key = row.text(0);
    for (std::size_t i = 0; i < keys; ++i) key += "/" + row.text(2 + i);
    found.push_back(fmt::format("{} {} of {}: off by {} requests, {} pico-units", table.name,
                                row.text(1), key, row.text(2 + keys), row.text(3 + keys)));
  });
}

// Those that may have sums in the hour.
std::vector<std::string> organizations_of(Sql& sql, std::int64_t hour_s) {
  std::vector<std::string> all;
  sql.each(
      "select id from organization union select organization from ledger where time_ms >= ? and"
      " time_ms < ?",
      {hour_s * 1000, (hour_s + kHour) * 1000}, 1,
      [&](const SqlRow& row) { all.push_back(row.text(0)); });
  return all;
}

absl::Status verdict(const std::vector<std::string>& found) {
  if (found.empty()) return absl::OkStatus();
  return base::data_loss(
      fmt::format("[ledger] sums differ from the rows: {}", fmt::join(found, "; ")));
}

}  // namespace

absl::Status check_sums(Database& database, std::int64_t from_s, std::int64_t to_s) {
  std::vector<std::string> found;
  RETURN_IF_ERROR(database.read("check the ledger", [&](Sql& sql) {
    found.clear();
    read_one_moment(sql);
    find_differences(sql, kHours, "", from_s, to_s, found);
    find_differences(sql, kDays, "", from_s, to_s, found);
    return absl::OkStatus();
  }));
  return verdict(found);
}

absl::Status check_newest_sums(Database& database) {
  std::vector<std::string> found;
  RETURN_IF_ERROR(database.read("check the ledger", [&](Sql& sql) {
    found.clear();
    read_one_moment(sql);
    const auto newest = newest_ledger_ms(sql);
    if (!newest) return absl::OkStatus();
    const auto hour_s = *newest / 1000 - *newest / 1000 % kHour;
    // One by one, since their sums are found by their names: all hours of all are many.
    for (const auto& organization : organizations_of(sql, hour_s))
      find_differences(sql, kHours, organization, hour_s, hour_s + kHour, found);
    return absl::OkStatus();
  }));
  return verdict(found);
}

absl::Status check_all_sums(Database& database) {
  RETURN_IF_ERROR(check_sums(database, 0, kEnd));
  std::vector<std::string> found;
  RETURN_IF_ERROR(database.read("check budgets", [&](Sql& sql) {
    read_one_moment(sql);
    found = wrong_budgets(sql);
    return absl::OkStatus();
  }));
  if (found.size() > kDifferencesShown) found.resize(kDifferencesShown);
  return verdict(found);
}

void rebuild_sums(Sql& sql, std::int64_t from_s, std::int64_t to_s) {
  for (const auto* table : {&kHours, &kDays}) {
    sql.run(fmt::format("delete from {0} where {1} >= ? and {1} < ?", table->name, table->time),
            {from_s, to_s});
    sql.run(fmt::format("insert into {} (organization,{},{},requests,input_tokens,cached_tokens,"
                        "output_tokens,amount_pico,device_us) {}",
                        table->name, table->time, table->keys, sums_of_rows(*table, "")),
            {from_s * 1000, to_s * 1000});
  }
}

absl::Status rebuild_sums(Database& database, std::int64_t from_s, std::int64_t to_s) {
  return database.transaction("make the ledger's sums", [&](Sql& sql) {
    hold_appends(sql);
    rebuild_sums(sql, from_s, to_s);
    recount_budgets(sql);
    return absl::OkStatus();
  });
}

absl::Status rebuild_all_sums(Database& database) { return rebuild_sums(database, 0, kEnd); }

absl::Status check_database(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return base::errno_status(errno, path);
  std::string findings;
  try {
    soci::session sql(soci::sqlite3, "dbname=\"" + path + "\" timeout=10 readonly=true");
    const soci::rowset<std::string> rows = (sql.prepare << "pragma quick_check(10)");
    for (const auto& row : rows) findings += (findings.empty() ? "" : "; ") + row;
  } catch (const soci::sqlite3_soci_error& error) {
    // 11: a damaged page that is needed to look at all; 26: no database at all.
    if (error.result() != 11 && error.result() != 26)
      return base::unavailable(fmt::format("{}: {}", path, error.what()));
    findings = error.what();
  } catch (const std::exception& error) {
    return base::unavailable(fmt::format("{}: {}", path, error.what()));
  }
  if (findings == "ok") return absl::OkStatus();
  return base::data_loss(fmt::format("{}: {}", path, findings));
}

}  // namespace plinth::store
