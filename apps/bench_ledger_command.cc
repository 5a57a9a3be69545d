// plinth bench ledger: a month of many tenants in a database, and what it takes to ask for it.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "apps/bench_command.h"
#include "apps/command_line.h"
#include "apps/table.h"
#include "apps/terminal.h"
#include "base/clock.h"
#include "base/json.h"
#include "governance/period.h"
#include "store/integrity.h"
#include "store/ledger_scan.h"
#include "store/limit_store.h"

namespace plinth {

namespace {

// Rows and projects of one statement: a transaction of some seconds.
constexpr std::int64_t kAtOnce = 500'000;
constexpr std::int64_t kDay = 86'400;

struct Arguments {
  std::string database;
  std::int64_t rows = 1'000'000, projects = 10'000, seed = 1;
  int repeats = 5;
  bool json = false;
};

// "i" from the first to before the last mark, on either database.
std::string numbers(store::Dialect dialect) {
  return dialect == store::Dialect::postgresql
             ? "(select i from generate_series(cast(? as bigint), cast(? as bigint) - 1) as"
               " series(i)) as n"
             : "(with recursive series(i) as (select cast(? as integer) union all select i+1 from"
               " series where i+1 < cast(? as integer)) select i from series) as n";
}

// A number below `bound` that looks random and follows from the row and the seed.
std::string drawn(std::int64_t multiplier, std::int64_t seed, const std::string& bound) {
  return fmt::format("((i+{})*{}%4294967291%{})", seed * 7919 % 1'000'003, multiplier, bound);
}

absl::Status fill_projects(store::Database& database, const Arguments& arguments) {
  return database.transaction("fill", [&](store::Sql& sql) {
    sql.run("insert into organization values ('default', 'default', 0) on conflict do nothing");
    sql.run(fmt::format("insert into project (id, seq, organization, name, created_s)"
                        " select 'proj_'||i, i+1, 'default', 'project '||i, 0 from {}",
                        numbers(sql.dialect())),
            {std::int64_t{0}, arguments.projects});
    return absl::OkStatus();
  });
}

// A few projects make most of the requests: of two draws the product counts.
absl::Status fill_rows(store::Database& database, const Arguments& arguments,
                       const governance::Period& month) {
  const auto step_ms = (month.to_s - month.from_s) * 1000 / arguments.rows;
  const auto seed = arguments.seed;
  const auto project = fmt::format(
      "{}*({}+1)/1000", drawn(2'654'435'761, seed, fmt::format("{}", arguments.projects)),
      drawn(2'246'822'519, seed, "1000"));
  for (std::int64_t at = 0; at < arguments.rows; at += kAtOnce) {
    const auto end = std::min(arguments.rows, at + kAtOnce);
    RETURN_IF_ERROR(database.transaction("fill", [&](store::Sql& sql) {
      store::ensure_ledger_month(sql, month.from_s * 1000);
      const bool sqlite = sql.dialect() == store::Dialect::sqlite;
      sql.run(fmt::format(
                  "insert into {} ({}) select 'req_'||i,{}+i*{},'default','proj_'||p,'key_'||p,'',"
                  "'','model_'||m,'chat',case when c=0 then 'batch' else 'standard' end,'settle',"
                  "'ok',1,t,t/4,o,q,d,1,(t-t/4)*2500000+t/4*1250000+o*10000000 from (select i,{} as"
                  " p,{} as m,{} as c,{} as t,{} as o,{} as q,{} as d from {}) as drawn",
                  sqlite ? "ledger_" + governance::format_month(month.from_s).replace(4, 1, "_")
                         : "ledger",
                  store::ledger_columns(), month.from_s * 1000, step_ms, project,
                  drawn(3'266'489'917, seed, "5"), drawn(668'265'263, seed, "10"),
                  drawn(374'761'393, seed, "4000"), drawn(1'274'126'177, seed, "800"),
                  drawn(2'147'483'647, seed, "2000000"), drawn(1'103'515'245, seed, "900000"),
                  numbers(sql.dialect())),
              {at, end});
      return absl::OkStatus();
    }));
    fmt::print(stderr, "{} of {} rows\n", end, arguments.rows);
  }
  return absl::OkStatus();
}

struct Question {
  std::string name;
  std::function<absl::StatusOr<std::size_t>()> ask;  // returns how many sums came
};

std::vector<Question> questions(store::Database& database, const governance::Period& month) {
  using D = store::UsageDimension;
  const auto usage = [&database, month](std::int64_t bucket_s, std::vector<D> groups,
                                        std::vector<store::UsageQuery::Filter> filters) {
    return [&database, month, bucket_s, groups, filters]() -> absl::StatusOr<std::size_t> {
      ASSIGN_OR_RETURN(const auto sums,
                       store::UsageStore(database).usage(
                           {"default", month.from_s, month.to_s, bucket_s, groups, filters}));
      return sums.size();
    };
  };
  const std::string small = "proj_9";
  return {
      {"organization by day and model", usage(kDay, {D::model}, {})},
      {"one project by day and model", usage(kDay, {D::model}, {{D::project, {small}}})},
      {"one project by hour", usage(3600, {}, {{D::project, {small}}})},
      {"one key by day", usage(kDay, {}, {{D::api_key, {"key_9"}}})},
      {"set a project's budget",
       [&database, month, small]() -> absl::StatusOr<std::size_t> {
         RETURN_IF_ERROR(store::LimitStore(database).set_budget(
             {"project", small, "month", 1, 0, 0}, month.to_s - 1));
         return std::size_t{1};
       }},
      {"newest sums beside their rows",
       [&database]() -> absl::StatusOr<std::size_t> {
         RETURN_IF_ERROR(store::check_newest_sums(database));
         return std::size_t{1};
       }},
  };
}

absl::Status measure(const Arguments& arguments, const std::vector<Question>& all,
                     const base::Clock& clock) {
  base::json::array entries;
  std::vector<std::vector<std::string>> rows{{"QUESTION", "SUMS", "MEDIAN MS", "SLOWEST MS"}};
  for (const auto& question : all) {
    std::vector<double> took_ms;
    std::size_t sums = 0;
    for (int i = 0; i < arguments.repeats; ++i) {
      const auto begun = clock.now();
      ASSIGN_OR_RETURN(sums, question.ask());
      took_ms.push_back(std::chrono::duration<double, std::milli>(clock.now() - begun).count());
    }
    std::sort(took_ms.begin(), took_ms.end());
    const auto median = took_ms[took_ms.size() / 2];
    entries.push_back({{"question", question.name},
                       {"sums", sums},
                       {"median_ms", median},
                       {"slowest_ms", took_ms.back()}});
    rows.push_back({question.name, fmt::format("{}", sums), fmt::format("{:.1f}", median),
                    fmt::format("{:.1f}", took_ms.back())});
  }
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(base::json::object{{"rows", arguments.rows},
                                                        {"projects", arguments.projects},
                                                        {"questions", std::move(entries)}}));
  } else {
    print_table(rows);
  }
  return absl::OkStatus();
}

absl::Status fill(store::Database& database, const Arguments& arguments,
                  const governance::Period& month) {
  RETURN_IF_ERROR(fill_projects(database, arguments));
  RETURN_IF_ERROR(fill_rows(database, arguments, month));
  return database.transaction("fill", [&](store::Sql& sql) {
    // Built at the end: millions of entries in no order of theirs would be written many times.
    sql.run("drop index usage_hour_by_project");
    sql.run("drop index usage_hour_by_key");
    if (sql.dialect() == store::Dialect::sqlite) sql.run("pragma cache_size=-524288");
    store::rebuild_sums(sql, month.from_s, month.to_s);
    sql.run("create index usage_hour_by_project on usage_hour (project, hour_s)");
    sql.run("create index usage_hour_by_key on usage_hour (api_key, hour_s)");
    // As autovacuum does within a minute.
    if (sql.dialect() == store::Dialect::postgresql) sql.run("analyze");
    return absl::OkStatus();
  });
}

absl::Status run(const Arguments& arguments) {
  const base::RealClock clock;
  ASSIGN_OR_RETURN(const auto month, governance::parse_month("2026-11"));
  ASSIGN_OR_RETURN(const auto database, store::Database::open(arguments.database));
  std::int64_t present = 0;
  RETURN_IF_ERROR(database->read("look", [&](store::Sql& sql) {
    present = store::newest_ledger_ms(sql).value_or(0);
    return absl::OkStatus();
  }));
  if (present == 0) {
    const auto begun = clock.now();
    RETURN_IF_ERROR(fill(*database, arguments, month));
    fmt::print(stderr, "filled in {:.0f} s\n",
               std::chrono::duration<double>(clock.now() - begun).count());
  } else {
    fmt::print(stderr, "the database has rows already; they are asked for\n");
  }
  return measure(arguments, questions(*database, month), clock);
}

}  // namespace

void add_bench_ledger_command(Command& bench, int& exit_code) {
  auto* command = bench.add_subcommand(
      "ledger", "Fill a database with a month of many tenants, and time what asks for it");
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  command
      ->add_option("--database", arguments->database,
                   "An empty one: a path that is not there, or postgresql://...")
      ->required();
  command->add_option("--rows", arguments->rows, "Of the ledger")
      ->range(std::int64_t{1}, std::int64_t{100'000'000})
      ->capture_default_str();
  command->add_option("--projects", arguments->projects, "That make them")
      ->range(std::int64_t{10}, std::int64_t{1'000'000})
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "Of what is drawn")
      ->range(std::int64_t{0}, std::int64_t{1'000'000})
      ->capture_default_str();
  command->add_option("--repeats", arguments->repeats, "Of each question")
      ->range(1, 1'000)
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON document");
  command->callback([arguments, &exit_code] {
    const auto status = run(*arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
