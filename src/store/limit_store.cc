#include "store/limit_store.h"

namespace plinth::store {

namespace {

constexpr char kLimit[] = "select scope_kind, scope, model, resource, amount from limit_rule";
LimitRow to_limit(const SqlRow& row) {
  return {row.text(0), row.text(1), row.text(2), row.text(3), row.integer(4)};
}

}  // namespace

absl::StatusOr<std::vector<LimitRow>> LimitStore::limits(const std::string& scope_kind,
                                                         const std::string& scope) {
  std::vector<LimitRow> rows;
  RETURN_IF_ERROR(database_.read("read limits", [&](Sql& sql) {
    rows.clear();
    sql.each(std::string(kLimit) + " where scope_kind = ? and scope = ? order by model, resource",
             {scope_kind, scope}, 5, [&](const SqlRow& row) { rows.push_back(to_limit(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

absl::StatusOr<std::vector<LimitRow>> LimitStore::all_limits() {
  std::vector<LimitRow> rows;
  RETURN_IF_ERROR(database_.read("read limits", [&](Sql& sql) {
    rows.clear();
    sql.each(kLimit, {}, 5, [&](const SqlRow& row) { rows.push_back(to_limit(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status LimitStore::set_limit(const LimitRow& row) {
  return database_.transaction("set a limit", [&](Sql& sql) {
    sql.run(
        "insert into limit_rule (scope_kind, scope, model, resource, amount) values (?,?,?,?,?)"
        " on conflict (scope_kind, scope, model, resource) do update set amount = excluded.amount",
        {row.scope_kind, row.scope, row.model, row.resource, row.amount});
    return absl::OkStatus();
  });
}

absl::Status LimitStore::remove_limit(const LimitRow& row) {
  return database_.transaction("remove a limit", [&](Sql& sql) {
    sql.run(
        "delete from limit_rule where scope_kind = ? and scope = ? and model = ? and resource = ?",
        {row.scope_kind, row.scope, row.model, row.resource});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<BudgetRow>> LimitStore::budgets(const std::string& scope_kind,
                                                           const std::string& scope,
                                                           std::int64_t time_s) {
  std::vector<BudgetRow> rows;
  RETURN_IF_ERROR(database_.transaction("read budgets", [&](Sql& sql) {
    rows = read_budgets(sql, scope_kind, scope, time_s);
    return absl::OkStatus();
  }));
  return rows;
}

absl::StatusOr<std::vector<BudgetRow>> LimitStore::all_budgets(std::int64_t time_s) {
  std::vector<BudgetRow> rows;
  RETURN_IF_ERROR(database_.transaction("read budgets", [&](Sql& sql) {
    rows.clear();
    std::vector<std::pair<std::string, std::string>> scopes;
    sql.each("select distinct scope_kind, scope from budget order by scope_kind, scope", {}, 2,
             [&](const SqlRow& row) { scopes.emplace_back(row.text(0), row.text(1)); });
    for (const auto& [kind, scope] : scopes) {
      for (auto& row : read_budgets(sql, kind, scope, time_s)) rows.push_back(std::move(row));
    }
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status LimitStore::set_budget(const BudgetRow& row, std::int64_t time_s) {
  return database_.transaction("set a budget", [&](Sql& sql) {
    write_budget(sql, row, time_s);
    return absl::OkStatus();
  });
}

absl::Status LimitStore::remove_budget(const BudgetRow& row) {
  return database_.transaction("remove a budget", [&](Sql& sql) {
    return store::remove_budget(sql, row.scope_kind, row.scope, row.period)
               ? absl::OkStatus()
               : base::not_found("No such budget: " + row.scope_kind + " " + row.scope + " " +
                                 row.period);
  });
}

absl::StatusOr<std::vector<PriceRow>> LimitStore::prices() {
  std::vector<PriceRow> rows;
  RETURN_IF_ERROR(database_.read("read prices", [&](Sql& sql) {
    rows.clear();
    sql.each(
        "select model, service_class, effective_s, input_pico, cached_pico, output_pico, version,"
        " unit_hour_pico from price order by model, service_class, effective_s",
        {}, 8, [&](const SqlRow& row) {
          rows.push_back({row.text(0), row.text(1), row.integer(2), row.integer(3), row.integer(4),
                          row.integer(5), row.integer(6), row.integer(7)});
        });
    return absl::OkStatus();
  }));
  return rows;
}

absl::StatusOr<std::int64_t> LimitStore::insert_price(PriceRow row) {
  RETURN_IF_ERROR(database_.transaction("insert a price", [&](Sql& sql) {
    if (sql.dialect() == Dialect::postgresql) sql.run("lock table price in exclusive mode");
    row.version = sql.first("select coalesce(max(version), 0) + 1 from price", {}, 1)->integer(0);
    sql.run(
        "insert into price (model, service_class, effective_s, input_pico, cached_pico,"
        " output_pico, version, unit_hour_pico) values (?,?,?,?,?,?,?,?)",
        {row.model, row.service_class, row.effective_s, row.input_pico, row.cached_pico,
         row.output_pico, row.version, row.unit_hour_pico});
    return absl::OkStatus();
  }));
  return row.version;
}

}  // namespace plinth::store
