#include "store/document_store.h"

#include <fmt/format.h>

namespace plinth::store {

absl::StatusOr<DocumentRow> DocumentStore::put(const DocumentRow& row, std::int64_t most) {
  return put(row, most, [] { return absl::OkStatus(); });
}

absl::StatusOr<DocumentRow> DocumentStore::put(const DocumentRow& row, std::int64_t most,
                                               absl::FunctionRef<absl::Status()> then) {
  DocumentRow stored = row;
  RETURN_IF_ERROR(database_.transaction("put a document", [&](Sql& sql) {
    if (sql.dialect() == Dialect::postgresql)
      sql.run("lock table document in share row exclusive mode");
    sql.run(
        "insert into document (kind, scope, name, body, created_s, updated_s)"
        " values (?,?,?,?,?,?)"
        " on conflict (kind, scope, name) do update"
        " set body = excluded.body, updated_s = excluded.updated_s",
        {row.kind, row.scope, row.name, row.body, row.created_s, row.updated_s});
    const auto count = sql.first("select count(*) from document where kind = ? and scope = ?",
                                 {row.kind, row.scope}, 1);
    if (count->integer(0) > most) {
      return base::resource_exhausted(
          fmt::format("there are {} of kind {} already, the most there may be", most, row.kind));
    }
    stored.created_s =
        sql.first("select created_s from document where kind = ? and scope = ? and name = ?",
                  {row.kind, row.scope, row.name}, 1)
            ->integer(0);
    return then();
  }));
  return stored;
}

absl::StatusOr<DocumentRow> DocumentStore::put_if_absent(const DocumentRow& row) {
  DocumentRow stored = row;
  RETURN_IF_ERROR(database_.transaction("put a first document", [&](Sql& sql) {
    sql.run(
        "insert into document (kind, scope, name, body, created_s, updated_s)"
        " values (?,?,?,?,?,?) on conflict (kind, scope, name) do nothing",
        {row.kind, row.scope, row.name, row.body, row.created_s, row.updated_s});
    const auto found = sql.first(
        "select body, created_s, updated_s from document"
        " where kind = ? and scope = ? and name = ?",
        {row.kind, row.scope, row.name}, 3);
    stored.body = found->text(0);
    stored.created_s = found->integer(1);
    stored.updated_s = found->integer(2);
    return absl::OkStatus();
  }));
  return stored;
}

absl::Status DocumentStore::overwrite(
    const std::vector<std::pair<DocumentRow, std::string>>& bodies) {
  constexpr std::string_view kWhere = " where kind = ? and scope = ? and name = ? and body = ?";
  return database_.transaction("overwrite documents", [&](Sql& sql) {
    if (sql.dialect() == Dialect::sqlite)
      sql.each("pragma secure_delete=1", {}, 1, [](const SqlRow&) {});
    for (const auto& [row, body] : bodies) {
      // In their place first: a longer body lies elsewhere.
      const std::string zeros(row.body.size(), '0');
      const auto changed = sql.run(fmt::format("update document set body = ?{}", kWhere),
                                   {zeros, row.kind, row.scope, row.name, row.body});
      if (changed > 0) {
        sql.run(fmt::format("update document set body = ?{}", kWhere),
                {body, row.kind, row.scope, row.name, zeros});
      }
    }
    return absl::OkStatus();
  });
}

absl::Status DocumentStore::forget_pages() { return database_.compact("document"); }

absl::Status DocumentStore::remove(const std::string& kind, const std::string& scope,
                                   const std::string& name) {
  return database_.transaction("remove a document", [&](Sql& sql) {
    const auto gone = sql.run("delete from document where kind = ? and scope = ? and name = ?",
                              {kind, scope, name});
    return gone > 0 ? absl::OkStatus() : base::not_found(fmt::format("No such {}: {}", kind, name));
  });
}

absl::StatusOr<std::vector<DocumentRow>> DocumentStore::all(const std::string& kind) {
  std::vector<DocumentRow> rows;
  RETURN_IF_ERROR(database_.read("read documents", [&](Sql& sql) {
    rows.clear();
    sql.each(
        "select kind, scope, name, body, created_s, updated_s from document where kind = ?"
        " order by scope, name",
        {kind}, 6, [&](const SqlRow& row) {
          rows.push_back(
              {row.text(0), row.text(1), row.text(2), row.text(3), row.integer(4), row.integer(5)});
        });
    return absl::OkStatus();
  }));
  return rows;
}

}  // namespace plinth::store
