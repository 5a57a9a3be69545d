#include "store/content_rows.h"

#include <fmt/format.h>

namespace plinth::store {

namespace {

constexpr char kColumns[] =
    "id, organization, project, kind, bytes, sha256, data_key, created_s, expires_s";
constexpr std::size_t kCount = 9;

ContentRow to_row(const SqlRow& from) {
  return {from.text(0), from.text(1), from.text(2),    from.text(3),         from.integer(4),
          from.text(5), from.text(6), from.integer(7), from.maybe_integer(8)};
}

absl::Status no_such(const std::string& id) { return base::not_found("No such content: " + id); }

}  // namespace

absl::Status ContentRows::insert(const ContentRow& row, const Also& also) {
  return database_.transaction("insert content", [&](Sql& sql) -> absl::Status {
    // Holds off whoever destroys the key until this is durable.
    const std::string lock = sql.dialect() == Dialect::postgresql ? " for share" : "";
    if (!sql.first("select id from data_key where id = ?" + lock, {row.key}, 1)) {
      return base::failed_precondition("[content] the key of " + row.id +
                                       " was destroyed while it was written");
    }
    sql.run(
        fmt::format("insert into content (seq, {}) values {}", kColumns, row_marks(1, kCount + 1)),
        {next_seq(sql, "content"), row.id, row.organization, row.project, row.kind, row.bytes,
         row.sha256, row.key, row.created_s, or_null(row.expires_s)});
    return also ? also() : absl::OkStatus();
  });
}

absl::StatusOr<ContentRow> ContentRows::find(const std::string& id) {
  std::optional<ContentRow> found;
  RETURN_IF_ERROR(database_.read("find content", [&](Sql& sql) {
    found.reset();
    const auto row =
        sql.first(fmt::format("select {} from content where id = ?", kColumns), {id}, kCount);
    if (row) found = to_row(*row);
    return absl::OkStatus();
  }));
  if (!found) return no_such(id);
  return *found;
}

absl::StatusOr<Page<ContentRow>> ContentRows::list(const ContentFilter& filter,
                                                   const PageRequest& page) {
  std::vector<ContentRow> rows;
  RETURN_IF_ERROR(database_.read("list content", [&](Sql& sql) -> absl::Status {
    rows.clear();
    const auto after = seq_of(sql, "content", page.after);
    if (!after) return no_such(page.after);
    const auto order = page_order(page, "seq", *after);
    std::string where = "1 = 1";
    std::vector<SqlValue> values;
    for (const auto& [column, value] :
         {std::pair{"organization", &filter.organization}, std::pair{"project", &filter.project},
          std::pair{"kind", &filter.kind}}) {
      if (value->empty()) continue;
      where += fmt::format(" and {} = ?", column);
      values.emplace_back(*value);
    }
    values.emplace_back(order.bound);
    values.emplace_back(page.limit + 1);
    sql.each(fmt::format("select {} from content where {}{}", kColumns, where, order.clause),
             values, kCount, [&](const SqlRow& row) { rows.push_back(to_row(row)); });
    return absl::OkStatus();
  }));
  return cut(std::move(rows), page.limit);
}

absl::Status ContentRows::set_expiry(const std::string& id,
                                     const std::optional<std::int64_t>& expires_s) {
  return database_.transaction("set when content expires", [&](Sql& sql) {
    const auto changed =
        sql.run("update content set expires_s = ? where id = ?", {or_null(expires_s), id});
    return changed > 0 ? absl::OkStatus() : no_such(id);
  });
}

absl::Status ContentRows::remove(const std::string& id) {
  return database_.transaction("remove content", [&](Sql& sql) {
    sql.run("delete from file where id = ?", {id});
    sql.run("delete from upload_part where id = ?", {id});
    return sql.run("delete from content where id = ?", {id}) > 0 ? absl::OkStatus() : no_such(id);
  });
}

absl::StatusOr<std::int64_t> ContentRows::bytes_of(const std::string& organization,
                                                   const std::string& project) {
  std::int64_t bytes = 0;
  RETURN_IF_ERROR(database_.read("add up content", [&](Sql& sql) {
    bytes = sql.first(
                   "select cast(coalesce(sum(bytes), 0) as bigint) from content"
                   " where organization = ? and project = ?",
                   {organization, project}, 1)
                ->integer(0);
    return absl::OkStatus();
  }));
  return bytes;
}

absl::StatusOr<std::vector<ContentRow>> ContentRows::batch(const std::string& key,
                                                           const std::string& after,
                                                           std::int64_t most) {
  std::vector<ContentRow> rows;
  RETURN_IF_ERROR(database_.read("read content", [&](Sql& sql) {
    rows.clear();
    const std::string of_key = key.empty() ? "" : " and data_key = ?";
    std::vector<SqlValue> values{after};
    if (!key.empty()) values.emplace_back(key);
    values.emplace_back(most);
    sql.each(
        fmt::format("select {} from content where id > ?{} order by id limit ?", kColumns, of_key),
        values, kCount, [&](const SqlRow& row) { rows.push_back(to_row(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status ContentRows::set_sealed(const std::string& id, const std::string& key,
                                     const std::string& sha256) {
  return database_.transaction("note a new key of content", [&](Sql& sql) {
    const auto changed =
        sql.run("update content set data_key = ?, sha256 = ? where id = ?", {key, sha256, id});
    return changed > 0 ? absl::OkStatus() : no_such(id);
  });
}

absl::StatusOr<std::int64_t> ContentRows::count_of_key(const std::string& key) {
  std::int64_t count = 0;
  RETURN_IF_ERROR(database_.read("count content", [&](Sql& sql) {
    count = sql.first("select count(*) from content where data_key = ?", {key}, 1)->integer(0);
    return absl::OkStatus();
  }));
  return count;
}

}  // namespace plinth::store
