#include "store/usage_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "store/budget_table.h"
#include "store/ledger_scan.h"

namespace plinth::store {

namespace {

constexpr std::int64_t kHour = 3600, kDay = 86'400;

struct Sums {
  std::int64_t requests = 0, input = 0, cached = 0, output = 0, amount = 0, device = 0;
  void add(const LedgerRow& row) {
    // A correction is no request.
    requests += row.kind == "settle" ? 1 : 0;
    input += row.input_tokens;
    cached += row.cached_tokens;
    output += row.output_tokens;
    amount += row.amount_pico;
    device += row.device_us;
  }
};

// Adds to one table of sums; `keys` are the values of its key columns.
void add_sums(Sql& sql, std::string_view table, std::string_view key_columns,
              std::vector<SqlValue> keys, const Sums& sums) {
  const auto columns = keys.size() + 6;
  keys.insert(keys.end(),
              {sums.requests, sums.input, sums.cached, sums.output, sums.amount, sums.device});
  sql.run(fmt::format("insert into {0} ({1},requests,input_tokens,cached_tokens,output_tokens,"
                      "amount_pico,device_us) values {2} on conflict ({1}) do update set"
                      " requests={0}.requests+excluded.requests,"
                      " input_tokens={0}.input_tokens+excluded.input_tokens,"
                      " cached_tokens={0}.cached_tokens+excluded.cached_tokens,"
                      " output_tokens={0}.output_tokens+excluded.output_tokens,"
                      " amount_pico={0}.amount_pico+excluded.amount_pico,"
                      " device_us={0}.device_us+excluded.device_us",
                      table, key_columns, row_marks(1, columns)),
          keys);
}

// Ordered, so that gateways that add to the same sums take their locks in one order.
void add_to_sums(Sql& sql, std::span<const LedgerRow* const> rows) {
  using HourKey = std::tuple<std::string, std::int64_t, std::string, std::string, std::string,
                             std::string, std::string, std::string, std::string>;
  using DayKey = std::tuple<std::string, std::int64_t, std::string, std::string, std::string>;
  std::map<HourKey, Sums> hours;
  std::map<DayKey, Sums> days;
  for (const auto* row : rows) {
    const auto second = row->time_ms / 1000;
    hours[{row->organization, second - second % kHour, row->project, row->api_key, row->user_id,
           row->deployment, row->model, row->operation, row->service_class}]
        .add(*row);
    days[{row->organization, second - second % kDay, row->model, row->operation,
          row->service_class}]
        .add(*row);
  }
  const auto values = [](const auto& key) {
    return std::apply([](const auto&... part) { return std::vector<SqlValue>{part...}; }, key);
  };
  for (const auto& [key, sums] : hours) {
    add_sums(sql, "usage_hour",
             "organization,hour_s,project,api_key,user_id,deployment,model,operation,service_class",
             values(key), sums);
  }
  for (const auto& [key, sums] : days) {
    add_sums(sql, "usage_day", "organization,day_s,model,operation,service_class", values(key),
             sums);
  }
}

bool in_day_sums(UsageDimension dimension) {
  return dimension == UsageDimension::model || dimension == UsageDimension::operation ||
         dimension == UsageDimension::service_class;
}

// The smallest table that knows what is asked for.
struct Source {
  const char *table, *second, *requests;
};
Source source_of(const UsageQuery& query) {
  if (query.bucket_s < kHour)
    return {"ledger", "(time_ms/1000)", "case when kind='settle' then 1 else 0 end"};
  const bool days = query.bucket_s == kDay &&
                    std::all_of(query.group_by.begin(), query.group_by.end(), in_day_sums) &&
                    std::all_of(query.filters.begin(), query.filters.end(),
                                [](const auto& filter) { return in_day_sums(filter.dimension); });
  return days ? Source{"usage_day", "day_s", "requests"}
              : Source{"usage_hour", "hour_s", "requests"};
}

// Sums of numbers in two parts, which cannot overflow before they are put together again.
constexpr std::int64_t kPart = 1'000'000'000;

std::string usage_statement(const UsageQuery& query, std::vector<SqlValue>& values) {
  const auto source = source_of(query);
  std::string groups;
  for (const auto dimension : query.group_by) groups += fmt::format(",{}", column_of(dimension));
  std::string where = "organization = ?";
  values.emplace_back(query.organization);
  if (std::string_view(source.table) == "ledger") {
    where += " and time_ms >= ? and time_ms < ?";
    values.emplace_back(query.start_s * 1000);
    values.emplace_back(query.end_s * 1000);
  } else {
    where += fmt::format(" and {0} >= ? and {0} < ?", source.second);
    values.emplace_back(query.start_s);
    values.emplace_back(query.end_s);
  }
  for (const auto& filter : query.filters) {
    where += fmt::format(" and {} in {}", column_of(filter.dimension),
                         row_marks(1, filter.any_of.size()));
    values.insert(values.end(), filter.any_of.begin(), filter.any_of.end());
  }
  // PostgreSQL sums bigint to numeric, whose text has no fraction.
  return fmt::format(
      "select {0}-{0}%{1} as bucket{2},sum({3}),sum(input_tokens),sum(cached_tokens),"
      "sum(output_tokens),sum(device_us),sum(amount_pico/{4}),sum(amount_pico%{4}) from {5} where "
      "{6} group by bucket{2} order by bucket{2}",
      source.second, query.bucket_s, groups, source.requests, kPart, source.table, where);
}

}  // namespace

const char* column_of(UsageDimension dimension) {
  switch (dimension) {
    case UsageDimension::project:
      return "project";
    case UsageDimension::user_id:
      return "user_id";
    case UsageDimension::api_key:
      return "api_key";
    case UsageDimension::deployment:
      return "deployment";
    case UsageDimension::model:
      return "model";
    case UsageDimension::operation:
      return "operation";
    case UsageDimension::service_class:
      break;
  }
  return "service_class";
}

absl::Status UsageStore::append(std::span<const LedgerRow> rows,
                                const std::optional<Lease>& lease) {
  if (rows.empty()) return absl::OkStatus();
  return database_.transaction("append to the ledger", [&](Sql& sql) {
    hold_budgets(sql);
    const auto fresh = append_ledger(sql, rows);
    add_to_sums(sql, fresh);
    return add_to_budgets(sql, fresh, lease);
  });
}

absl::StatusOr<std::vector<UsageSum>> UsageStore::usage(const UsageQuery& query) {
  for (const auto& filter : query.filters) {
    if (filter.any_of.empty()) return std::vector<UsageSum>();
  }
  std::vector<UsageSum> sums;
  RETURN_IF_ERROR(database_.read("read usage", [&](Sql& sql) {
    sums.clear();
    std::vector<SqlValue> values;
    const auto statement = usage_statement(query, values);
    const auto groups = query.group_by.size();
    sql.each(statement, values, groups + 8, [&](const SqlRow& row) {
      UsageSum sum;
      sum.bucket_start_s = row.integer(0);
      for (std::size_t i = 0; i < groups; ++i) sum.group.push_back(row.text(1 + i));
      std::size_t at = 1 + groups;
      for (auto* number : {&sum.requests, &sum.input_tokens, &sum.cached_tokens, &sum.output_tokens,
                           &sum.device_us}) {
        *number = row.integer(at++);
      }
      sum.amount_pico = __int128{row.integer(at)} * kPart + row.integer(at + 1);
      sums.push_back(std::move(sum));
    });
    return absl::OkStatus();
  }));
  return sums;
}

absl::Status UsageStore::each_row(const std::string& organization, std::int64_t from_ms,
                                  std::int64_t to_ms,
                                  const std::function<void(const LedgerRow&)>& take) {
  return database_.read("read the ledger", [&](Sql& sql) {
    read_one_moment(sql);
    scan_ledger(sql, organization, from_ms, to_ms, take);
    return absl::OkStatus();
  });
}

}  // namespace plinth::store
