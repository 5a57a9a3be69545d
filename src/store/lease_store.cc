#include "store/lease_store.h"

#include "store/budget_table.h"
#include "store/limits.h"

namespace plinth::store {

namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kLeaseMs = milliseconds(kLease).count();

// What the blocks of one key hold together: what is below zero is owed, not there for others.
constexpr char kHeld[] =
    "select coalesce(sum(case when gateway <> ? and held > 0 then held else 0 end), 0),"
    " coalesce(sum(case when gateway = ? then held else 0 end), 0)"
    " from quota_block where scope_kind = ? and scope = ? and model = ? and name = ?";

std::optional<QuotaState> read_limit(Sql& sql, const std::string& gateway, const QuotaKey& key) {
  const std::vector<SqlValue> where{key.scope_kind, key.scope, key.model, key.name};
  const auto rule = sql.first(
      "select amount from limit_rule where scope_kind = ? and scope = ? and model = ?"
      " and resource = ?",
      where, 1);
  if (!rule) return std::nullopt;
  QuotaState state;
  state.limit = rule->integer(0);
  const auto level = sql.first(
      "select level, filled_ms from rate_level where scope_kind = ? and scope = ? and model = ?"
      " and name = ?",
      where, 2);
  if (level) state.level = {level->integer(0), level->integer(1)};
  const auto held =
      sql.first(kHeld, {gateway, gateway, key.scope_kind, key.scope, key.model, key.name}, 2);
  state.held_elsewhere = held->integer(0);
  state.held = held->integer(1);
  return state;
}

// In one statement: rows of the ledger move money from blocks to what is spent meanwhile.
std::optional<QuotaState> read_budget(Sql& sql, const std::string& gateway, const QuotaKey& key) {
  const auto row = sql.first(
      "select b.limit_pico, b.spent_pico,"
      " coalesce(sum(case when q.gateway <> ? and q.held > 0 then q.held else 0 end), 0),"
      " coalesce(sum(case when q.gateway = ? then q.held else 0 end), 0)"
      " from budget b left join quota_block q on q.scope_kind = b.scope_kind and q.scope = b.scope"
      " and q.model = '' and q.name = b.period"
      " where b.scope_kind = ? and b.scope = ? and b.period = ?"
      " group by b.limit_pico, b.spent_pico",
      {gateway, gateway, key.scope_kind, key.scope, key.name}, 4);
  if (!row) return std::nullopt;
  QuotaState state;
  state.limit = row->integer(0);
  state.spent = row->integer(1);
  state.held_elsewhere = row->integer(2);
  state.held = row->integer(3);
  return state;
}

void write(Sql& sql, const std::string& gateway, const QuotaKey& key, const QuotaState& before,
           const QuotaChange& change) {
  // A difference: rows of the ledger may have charged the block meanwhile.
  add_to_block(sql, gateway, key, change.held - before.held, false);
  if (change.idle) set_idle(sql, gateway, key, *change.idle);
  if (!change.level) return;
  sql.run(
      "insert into rate_level (scope_kind, scope, model, name, level, filled_ms)"
      " values (?,?,?,?,?,?) on conflict (scope_kind, scope, model, name) do update set"
      " level = excluded.level, filled_ms = excluded.filled_ms",
      {key.scope_kind, key.scope, key.model, key.name, change.level->amount,
       change.level->filled_ms});
}

}  // namespace

DatabaseTime database_time(const base::Clock& clock) {
  return [&clock](Sql& sql) {
    if (sql.dialect() == Dialect::sqlite) return clock.unix_millis();
    return sql.first("select (extract(epoch from clock_timestamp()) * 1000)::bigint", {}, 1)
        ->integer(0);
  };
}

absl::StatusOr<LeaseStore::Answer> LeaseStore::exchange(const Lease& lease,
                                                        std::span<const QuotaKey> keys,
                                                        Decide decide) {
  Answer answer;
  RETURN_IF_ERROR(database_.transaction("exchange blocks", [&](Sql& sql) {
    hold_blocks(sql);
    const auto now_ms = time_(sql);
    answer = {lease, false, now_ms};
    if (lease.epoch == 0 || !renew_lease(sql, lease, now_ms + kLeaseMs)) {
      answer.is_new = true;
      ++answer.lease.epoch;
      insert_lease(sql, answer.lease, now_ms + kLeaseMs);
      return absl::OkStatus();
    }
    // Before any lease or block of others is touched: this waits for rows of the ledger, which
    // wait for those.
    for (const auto& key : keys) {
      if (key.is_budget) move_on_budget(sql, key.scope_kind, key.scope, key.name, now_ms / 1000);
    }
    reclaim_lapsed(sql, lease.gateway, now_ms);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto& key = keys[i];
      auto state = key.is_budget ? read_budget(sql, lease.gateway, key)
                                 : read_limit(sql, lease.gateway, key);
      if (!state) continue;
      state->now_ms = now_ms;
      write(sql, lease.gateway, key, *state, decide(i, *state));
    }
    return absl::OkStatus();
  }));
  return answer;
}

absl::StatusOr<RateLook> LeaseStore::look(const QuotaKey& key) {
  RateLook look;
  RETURN_IF_ERROR(database_.read("look at a rate", [&](Sql& sql) {
    look = {};
    look.now_ms = time_(sql);
    const auto row = sql.first(
        "select r.amount, l.level, l.filled_ms,"
        " (select coalesce(sum(q.idle), 0) from quota_block q where q.scope_kind = r.scope_kind"
        " and q.scope = r.scope and q.model = r.model and q.name = r.resource)"
        " from limit_rule r left join rate_level l on l.scope_kind = r.scope_kind"
        " and l.scope = r.scope and l.model = r.model and l.name = r.resource"
        " where r.scope_kind = ? and r.scope = ? and r.model = ? and r.resource = ?",
        {key.scope_kind, key.scope, key.model, key.name}, 4);
    if (!row) return base::not_found("No such limit: " + key.name);
    look.limit = row->integer(0);
    if (row->maybe_integer(2)) look.level = {row->integer(1), row->integer(2)};
    look.idle = row->integer(3);
    return absl::OkStatus();
  }));
  return look;
}

absl::Status LeaseStore::release(const Lease& lease) {
  return database_.transaction("release blocks", [&](Sql& sql) {
    hold_blocks(sql);
    delete_lease(sql, lease.gateway);
    return absl::OkStatus();
  });
}

absl::Status LeaseStore::take_over(const std::string& gateway) {
  return database_.transaction("take over blocks", [&](Sql& sql) {
    hold_blocks(sql);
    for (const auto& other : other_gateways(sql, gateway)) delete_lease(sql, other);
    return absl::OkStatus();
  });
}

}  // namespace plinth::store
