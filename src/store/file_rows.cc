#include "store/file_rows.h"

#include <fmt/format.h>

namespace plinth::store {

namespace {

constexpr char kColumns[] =
    "id, organization, project, purpose, filename, bytes, created_s, expires_s, status";
constexpr std::size_t kCount = 9;

FileRow to_row(const SqlRow& from) {
  return {from.text(0),    from.text(1),    from.text(2),          from.text(3), from.text(4),
          from.integer(5), from.integer(6), from.maybe_integer(7), from.text(8)};
}

}  // namespace

absl::Status no_such_file(const std::string& id) {
  return base::not_found("No such File object: " + id);
}

absl::Status FileRows::insert(const FileRow& row) {
  return database_.transaction("insert a file", [&](Sql& sql) {
    sql.run(fmt::format("insert into file (seq, {}) values {}", kColumns, row_marks(1, kCount + 1)),
            {next_seq(sql, "file"), row.id, row.organization, row.project, row.purpose,
             row.filename, row.bytes, row.created_s, or_null(row.expires_s), row.status});
    return absl::OkStatus();
  });
}

absl::StatusOr<FileRow> FileRows::find(const std::string& project, const std::string& id) {
  std::optional<FileRow> found;
  RETURN_IF_ERROR(database_.read("find a file", [&](Sql& sql) {
    found.reset();
    const auto row =
        sql.first(fmt::format("select {} from file where id = ? and project = ?", kColumns),
                  {id, project}, kCount);
    if (row) found = to_row(*row);
    return absl::OkStatus();
  }));
  if (!found) return no_such_file(id);
  return *found;
}

absl::StatusOr<Page<FileRow>> FileRows::list(const FileFilter& filter, const PageRequest& page) {
  std::vector<FileRow> rows;
  RETURN_IF_ERROR(database_.read("list files", [&](Sql& sql) -> absl::Status {
    rows.clear();
    std::int64_t after = -1;
    if (!page.after.empty()) {
      // Of another project's file nobody learns that it is there.
      const auto before = sql.first("select seq from file where id = ? and project = ?",
                                    {page.after, filter.project}, 1);
      if (!before) return no_such_file(page.after);
      after = before->integer(0);
    }
    const auto order = page_order(page, "seq", after);
    std::string where = "project = ?";
    std::vector<SqlValue> values{filter.project};
    if (!filter.purpose.empty()) {
      where += " and purpose = ?";
      values.emplace_back(filter.purpose);
    }
    if (filter.alive_s) {
      where += " and (expires_s is null or expires_s > ?)";
      values.emplace_back(*filter.alive_s);
    }
    values.emplace_back(order.bound);
    values.emplace_back(page.limit + 1);
    sql.each(fmt::format("select {} from file where {}{}", kColumns, where, order.clause), values,
             kCount, [&](const SqlRow& row) { rows.push_back(to_row(row)); });
    return absl::OkStatus();
  }));
  return cut(std::move(rows), page.limit);
}

}  // namespace plinth::store
