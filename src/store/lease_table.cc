#include "store/lease_table.h"

namespace plinth::store {

void hold_blocks(Sql& sql) {
  if (sql.dialect() == Dialect::sqlite) return;  // one writer at a time
  sql.each("select pg_advisory_xact_lock(7236844)", {}, 1, [](const SqlRow&) {});
}

void delete_lease(Sql& sql, const std::string& gateway) {
  // The lease first: that waits for rows of the ledger that go in under it and charge its blocks.
  sql.run("delete from gateway_lease where gateway = ?", {gateway});
  sql.run("delete from quota_block where gateway = ?", {gateway});
}

void reclaim_lapsed(Sql& sql, const std::string& but_gateway, std::int64_t now_ms) {
  std::vector<std::string> lapsed;
  sql.each("select gateway from gateway_lease where expires_ms <= ? and gateway <> ?",
           {now_ms, but_gateway}, 1, [&](const SqlRow& row) { lapsed.push_back(row.text(0)); });
  for (const auto& gateway : lapsed) delete_lease(sql, gateway);
}

bool renew_lease(Sql& sql, const Lease& lease, std::int64_t expires_ms) {
  return sql.run("update gateway_lease set expires_ms = ? where gateway = ? and epoch = ?",
                 {expires_ms, lease.gateway, lease.epoch}) > 0;
}

void insert_lease(Sql& sql, const Lease& lease, std::int64_t expires_ms) {
  delete_lease(sql, lease.gateway);
  sql.run("insert into gateway_lease (gateway, epoch, expires_ms) values (?,?,?)",
          {lease.gateway, lease.epoch, expires_ms});
}

std::vector<std::string> other_gateways(Sql& sql, const std::string& gateway) {
  std::vector<std::string> others;
  sql.each("select gateway from gateway_lease where gateway <> ?", {gateway}, 1,
           [&](const SqlRow& row) { others.push_back(row.text(0)); });
  return others;
}

bool keep_lease(Sql& sql, const Lease& lease) {
  // A key share lets the gateway renew its lease meanwhile, and nobody delete it.
  const std::string lock = sql.dialect() == Dialect::postgresql ? " for key share" : "";
  return sql
      .first("select 1 from gateway_lease where gateway = ? and epoch = ?" + lock,
             {lease.gateway, lease.epoch}, 1)
      .has_value();
}

void add_to_block(Sql& sql, const std::string& gateway, const QuotaKey& key, std::int64_t amount,
                  bool only_if_there) {
  const auto changed = sql.run(
      "update quota_block set held = held + ? where scope_kind = ? and scope = ? and model = ?"
      " and name = ? and gateway = ?",
      {amount, key.scope_kind, key.scope, key.model, key.name, gateway});
  if (changed > 0 || only_if_there) return;
  sql.run(
      "insert into quota_block (scope_kind, scope, model, name, gateway, held)"
      " values (?,?,?,?,?,?)",
      {key.scope_kind, key.scope, key.model, key.name, gateway, amount});
}

void set_idle(Sql& sql, const std::string& gateway, const QuotaKey& key, std::int64_t amount) {
  sql.run(
      "update quota_block set idle = ? where scope_kind = ? and scope = ? and model = ?"
      " and name = ? and gateway = ?",
      {amount, key.scope_kind, key.scope, key.model, key.name, gateway});
}

}  // namespace plinth::store
