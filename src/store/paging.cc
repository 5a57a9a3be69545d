#include "store/paging.h"

namespace plinth::store {

std::int64_t next_seq(Sql& sql, const std::string& table) {
  if (sql.dialect() == Dialect::postgresql) {
    sql.each("select pg_advisory_xact_lock(7236844)", {}, 1, [](const SqlRow&) {});
  }
  return sql.first("select coalesce(max(seq), 0) + 1 from " + table, {}, 1)->integer(0);
}

PageOrder page_order(const PageRequest& page, const std::string& column, std::int64_t after) {
  if (!page.descending) return {" and " + column + " > ? order by " + column + " limit ?", after};
  return {" and " + column + " < ? order by " + column + " desc limit ?",
          after < 0 ? INT64_MAX : after};
}

std::optional<std::int64_t> seq_of(Sql& sql, const std::string& table, const std::string& after) {
  if (after.empty()) return -1;
  const auto row = sql.first("select seq from " + table + " where id = ?", {after}, 1);
  return row ? std::optional(row->integer(0)) : std::nullopt;
}

}  // namespace plinth::store
