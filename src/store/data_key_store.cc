#include "store/data_key_store.h"

#include <fmt/format.h>

#include "store/paging.h"

namespace plinth::store {

namespace {

constexpr char kColumns[] = "id, organization, project, wrapped, wrapped_by, created_s, retired_s";
constexpr std::size_t kCount = 7;

}  // namespace

absl::Status DataKeyStore::insert(const DataKeyRow& row) {
  return database_.transaction("insert a data key", [&](Sql& sql) {
    sql.run(
        fmt::format("insert into data_key (seq, {}) values {}", kColumns, row_marks(1, kCount + 1)),
        {next_seq(sql, "data_key"), row.id, row.organization, row.project, row.wrapped,
         row.wrapped_by, row.created_s, or_null(row.retired_s)});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<DataKeyRow>> DataKeyStore::all() {
  std::vector<DataKeyRow> rows;
  RETURN_IF_ERROR(database_.read("read data keys", [&](Sql& sql) {
    rows.clear();
    sql.each(fmt::format("select {} from data_key order by seq", kColumns), {}, kCount,
             [&](const SqlRow& row) {
               rows.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.text(4),
                               row.integer(5), row.maybe_integer(6)});
             });
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status DataKeyStore::rewrap(const std::string& id, const std::string& wrapped,
                                  const std::string& wrapped_by) {
  return database_.transaction("rewrap a data key", [&](Sql& sql) {
    const auto changed = sql.run("update data_key set wrapped = ?, wrapped_by = ? where id = ?",
                                 {wrapped, wrapped_by, id});
    return changed > 0 ? absl::OkStatus() : base::not_found("No such data key: " + id);
  });
}

absl::Status DataKeyStore::retire(const std::string& id, std::int64_t time_s) {
  return database_.transaction("retire a data key", [&](Sql& sql) {
    sql.run("update data_key set retired_s = ? where id = ? and retired_s is null", {time_s, id});
    return absl::OkStatus();
  });
}

absl::Status DataKeyStore::destroy(const std::string& id) {
  return database_.transaction("destroy a data key", [&](Sql& sql) {
    // Freed bytes of a page become zeros from here on, on this connection.
    if (sql.dialect() == Dialect::sqlite)
      sql.each("pragma secure_delete=1", {}, 1, [](const SqlRow&) {});
    const auto row = sql.first("select length(wrapped) from data_key where id = ?", {id}, 1);
    if (!row) return absl::OkStatus();
    const auto zeros = std::string(static_cast<std::size_t>(row->integer(0)), '0');
    sql.run("update data_key set wrapped = ? where id = ?", {zeros, id});
    sql.run("delete from data_key where id = ?", {id});
    return absl::OkStatus();
  });
}

absl::Status DataKeyStore::forget_pages() { return database_.compact("data_key"); }

absl::Status DataKeyStore::insert_shredded(const ShreddedKeyRow& row) {
  return database_.transaction("note a destroyed key", [&](Sql& sql) {
    sql.run(
        "insert into shredded_key (id, organization, project, proof, shredded_s)"
        " values (?,?,?,?,?) on conflict (id) do nothing",
        {row.id, row.organization, row.project, row.proof, row.shredded_s});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<ShreddedKeyRow>> DataKeyStore::shredded() {
  std::vector<ShreddedKeyRow> rows;
  RETURN_IF_ERROR(database_.read("read destroyed keys", [&](Sql& sql) {
    rows.clear();
    sql.each(
        "select id, organization, project, proof, shredded_s from shredded_key"
        " order by shredded_s, id",
        {}, 5, [&](const SqlRow& row) {
          rows.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.integer(4)});
        });
    return absl::OkStatus();
  }));
  return rows;
}

}  // namespace plinth::store
