#include "store/migrations.h"

#include <fmt/format.h>

#include <array>
#include <span>

#include "store/ledger_table.h"

namespace plinth::store {

namespace {

// Numbers are bigint: SQLite keeps 64 bits in any integer, PostgreSQL only there. Times are seconds
// since 1970 (_s) or milliseconds (_ms), money is in pico-units (_pico).
constexpr const char* kKeys[] = {
    "create table api_key ("
    " id text primary key, project text not null, name text not null, role text not null,"
    " secret_hmac text not null, created_unix_s bigint not null, revoked_unix_s bigint)",
};

constexpr const char* kTenants[] = {
    "create table organization ("
    " id text primary key, name text not null, created_s bigint not null)",

    // seq: the order of lists, in which nothing appears before what was listed already.
    "create table project ("
    " id text primary key, seq bigint not null, organization text not null, name text not null,"
    " created_s bigint not null, archived_s bigint)",
    "create index project_by_organization on project (organization, seq)",

    "create table service_account ("
    " id text primary key, seq bigint not null, project text not null, name text not null,"
    " role text not null, created_s bigint not null)",
    "create index service_account_by_project on service_account (project, seq)",

    // models, networks, scopes: JSON arrays; null allows all.
    "alter table api_key add column seq bigint not null default 0",
    "alter table api_key add column organization text not null default 'default'",
    "alter table api_key add column service_account text",
    "alter table api_key add column hint text not null default ''",
    "alter table api_key add column models text",
    "alter table api_key add column networks text",
    "alter table api_key add column scopes text",
    "alter table api_key add column expires_unix_s bigint",
    "alter table api_key add column last_used_unix_s bigint",
    "create index api_key_by_project on api_key (project, role, seq)",
};

constexpr const char* kMoney[] = {
    // What a scope (organization, project, key, deployment) may use of a model ("" = of all
    // together): resource as governance names it.
    "create table limit_rule ("
    " scope_kind text not null, scope text not null, model text not null, resource text not null,"
    " amount bigint not null, primary key (scope_kind, scope, model, resource))",

    // spent_pico: what rows of the ledger since period_start_s cost.
    "create table budget ("
    " scope_kind text not null, scope text not null, period text not null,"
    " limit_pico bigint not null, period_start_s bigint not null, spent_pico bigint not null,"
    " primary key (scope_kind, scope, period))",

    // Pico-units a token, from effective_s on. model "" is every model without a row of its own.
    "create table price ("
    " model text not null, service_class text not null, effective_s bigint not null,"
    " input_pico bigint not null, cached_pico bigint not null, output_pico bigint not null,"
    " version bigint not null, primary key (model, service_class, effective_s))",

    // Sums of the ledger, one row for each combination in an hour; and without project, user and
    // key in a day.
    "create table usage_hour ("
    " organization text not null, hour_s bigint not null, project text not null,"
    " api_key text not null, user_id text not null, deployment text not null, model text not null,"
    " operation text not null, service_class text not null,"
    " requests bigint not null, input_tokens bigint not null, cached_tokens bigint not null,"
    " output_tokens bigint not null, amount_pico bigint not null, device_us bigint not null,"
    " primary key (organization, hour_s, project, api_key, user_id, deployment, model, operation,"
    " service_class))",
    "create table usage_day ("
    " organization text not null, day_s bigint not null, model text not null,"
    " operation text not null, service_class text not null,"
    " requests bigint not null, input_tokens bigint not null, cached_tokens bigint not null,"
    " output_tokens bigint not null, amount_pico bigint not null, device_us bigint not null,"
    " primary key (organization, day_s, model, operation, service_class))",

    // Months of the ledger that have a table.
    "create table ledger_month (month text primary key)",
};

constexpr const char* kDocuments[] = {
    // What administrators declare and programs read whole, as JSON.
    "create table document ("
    " kind text not null, scope text not null, name text not null, body text not null,"
    " created_s bigint not null, updated_s bigint not null, primary key (kind, scope, name))",
};

constexpr const char* kReports[] = {
    // What an hour of one device costs from effective_s on, and how many there are.
    "create table device_cost ("
    " effective_s bigint primary key, device_hour_pico bigint not null, devices bigint not null)",

    // What one project or key used, and what its budget has left, without the organization's
    // other hours.
    "create index usage_hour_by_project on usage_hour (project, hour_s)",
    "create index usage_hour_by_key on usage_hour (api_key, hour_s)",
};

struct Migration {
  std::span<const char* const> statements;
  bool ledger = false;  // the ledger's table comes with it
};
// Numbered from 1, applied once each, never changed after a release.
constexpr std::array kMigrations = {Migration{kKeys}, Migration{kTenants}, Migration{kMoney, true},
                                    Migration{kDocuments}, Migration{kReports}};

std::int64_t read_version(Sql& sql) {
  if (sql.dialect() == Dialect::sqlite) return sql.first("pragma user_version", {}, 1)->integer(0);
  // One of the processes that start together migrates; the others wait here.
  sql.each("select pg_advisory_xact_lock(7236842)", {}, 1, [](const SqlRow&) {});
  sql.run("create table if not exists schema_version (version bigint not null)");
  const auto row = sql.first("select version from schema_version", {}, 1);
  if (row) return row->integer(0);
  sql.run("insert into schema_version values (0)");
  return 0;
}

void write_version(Sql& sql, std::size_t version) {
  const auto statement = sql.dialect() == Dialect::sqlite ? "pragma user_version={}"
                                                          : "update schema_version set version={}";
  sql.run(fmt::format(fmt::runtime(statement), version));
}

}  // namespace

std::int64_t newest_schema_version() { return static_cast<std::int64_t>(kMigrations.size()); }

std::int64_t schema_version(Sql& sql) {
  if (sql.dialect() == Dialect::sqlite) return sql.first("pragma user_version", {}, 1)->integer(0);
  const auto table = sql.first("select cast(to_regclass('schema_version') as text)", {}, 1);
  if (!table || !table->maybe_text(0)) return 0;
  const auto row = sql.first("select version from schema_version", {}, 1);
  return row ? row->integer(0) : 0;
}

absl::Status migrate(Sql& sql) {
  const auto version = read_version(sql);
  const auto newest = newest_schema_version();
  if (version > newest) {
    return base::failed_precondition(fmt::format(
        "schema version {} is newer than this program's {}; upgrade Plinth", version, newest));
  }
  for (auto next = static_cast<std::size_t>(version); next < kMigrations.size(); ++next) {
    for (const std::string_view statement : kMigrations[next].statements) {
      sql.run(statement);
    }
    if (kMigrations[next].ledger) create_ledger(sql);
    write_version(sql, next + 1);
  }
  return absl::OkStatus();
}

}  // namespace plinth::store
