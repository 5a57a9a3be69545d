#include "store/upload_rows.h"

#include <fmt/format.h>

#include "store/paging.h"

namespace plinth::store {

namespace {

constexpr char kColumns[] =
    "id, organization, project, purpose, filename, mime_type, bytes, created_s, expires_s,"
    " file_expires_after_s, status, file";
constexpr std::size_t kCount = 12;

UploadRow to_row(const SqlRow& from) {
  return {from.text(0),    from.text(1),          from.text(2),    from.text(3),
          from.text(4),    from.text(5),          from.integer(6), from.integer(7),
          from.integer(8), from.maybe_integer(9), from.text(10),   from.maybe_text(11)};
}

absl::Status ended(const std::string& id) {
  return base::failed_precondition(fmt::format("The Upload {} is not pending any more.", id));
}

}  // namespace

absl::Status UploadRows::insert(const UploadRow& row, std::int64_t pending_max,
                                std::int64_t forget_s) {
  return database_.transaction("insert an upload", [&](Sql& sql) {
    const auto seq = next_seq(sql, "upload");  // first: what is counted stays true
    sql.run("delete from upload where project = ? and expires_s < ?", {row.project, forget_s});
    const auto pending =
        sql.first("select count(*) from upload where project = ? and status = ? and expires_s > ?",
                  {row.project, std::string(kUploadPending), row.created_s}, 1)
            ->integer(0);
    if (pending >= pending_max) {
      return base::resource_exhausted(fmt::format(
          "The project has {} uploads that are pending: complete or cancel some.", pending));
    }
    sql.run(
        fmt::format("insert into upload (seq, {}) values {}", kColumns, row_marks(1, kCount + 1)),
        {seq, row.id, row.organization, row.project, row.purpose, row.filename, row.mime_type,
         row.bytes, row.created_s, row.expires_s, or_null(row.file_expires_after_s), row.status,
         or_null(row.file)});
    return absl::OkStatus();
  });
}

absl::StatusOr<UploadRow> UploadRows::find(const std::string& project, const std::string& id) {
  std::optional<UploadRow> found;
  RETURN_IF_ERROR(database_.read("find an upload", [&](Sql& sql) {
    found.reset();
    const auto row =
        sql.first(fmt::format("select {} from upload where id = ? and project = ?", kColumns),
                  {id, project}, kCount);
    if (row) found = to_row(*row);
    return absl::OkStatus();
  }));
  if (!found) return base::not_found("No such Upload object: " + id);
  return *found;
}

absl::StatusOr<std::vector<UploadPartRow>> UploadRows::parts(const std::string& upload) {
  std::vector<UploadPartRow> rows;
  RETURN_IF_ERROR(database_.read("read the parts of an upload", [&](Sql& sql) {
    rows.clear();
    sql.each("select id, upload, bytes, created_s from upload_part where upload = ?", {upload}, 4,
             [&](const SqlRow& row) {
               rows.push_back({row.text(0), row.text(1), row.integer(2), row.integer(3)});
             });
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status UploadRows::insert_part(const UploadPartRow& row, const UploadLimits& limits) {
  return database_.transaction("insert a part", [&](Sql& sql) -> absl::Status {
    // Holds off whoever ends the upload, and other parts that are counted.
    const std::string lock = sql.dialect() == Dialect::postgresql ? " for update" : "";
    const auto upload = sql.first("select status from upload where id = ?" + lock, {row.upload}, 1);
    if (!upload || upload->text(0) != kUploadPending) return ended(row.upload);
    const auto sums = sql.first(
        "select count(*), cast(coalesce(sum(bytes), 0) as bigint)"
        " from upload_part where upload = ?",
        {row.upload}, 2);
    if (sums->integer(0) >= limits.parts_max) {
      return base::resource_exhausted(
          fmt::format("An upload has at most {} parts.", limits.parts_max));
    }
    if (sums->integer(1) + row.bytes > limits.bytes_max) {
      return base::resource_exhausted(
          fmt::format("The parts of an upload have at most {} bytes.", limits.bytes_max));
    }
    sql.run("insert into upload_part (id, upload, bytes, created_s) values (?,?,?,?)",
            {row.id, row.upload, row.bytes, row.created_s});
    return absl::OkStatus();
  });
}

absl::Status UploadRows::end(const std::string& id, const std::string& status,
                             const std::optional<std::string>& file) {
  return database_.transaction("end an upload", [&](Sql& sql) {
    const auto changed =
        sql.run("update upload set status = ?, file = ? where id = ? and status = ?",
                {status, or_null(file), id, std::string(kUploadPending)});
    return changed > 0 ? absl::OkStatus() : ended(id);
  });
}

}  // namespace plinth::store
