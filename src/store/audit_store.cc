#include "store/audit_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace plinth::store {

namespace {

constexpr char kColumns[] =
    "idx, id, time_ms, record, hash, organization, type, project, actor, owner, email";
constexpr std::size_t kCount = 11;
constexpr char kCheckpoint[] = "select size, checkpoint, signature, frontier from audit_checkpoint";

AuditRow to_row(const SqlRow& from) {
  return {from.integer(0), from.text(1), from.integer(2), from.text(3), from.text(4),  from.text(5),
          from.text(6),    from.text(7), from.text(8),    from.text(9), from.text(10), {}};
}

AuditCheckpointRow to_checkpoint(const SqlRow& from) {
  return {from.integer(0), from.text(1), from.text(2), from.text(3)};
}

AuditHead read_head(Sql& sql) {
  const auto last =
      sql.first("select idx, hash from audit_record order by idx desc limit 1", {}, 2);
  return last ? AuditHead{last->integer(0) + 1, last->text(1)} : AuditHead{};
}

// Conditions of a query and their values.
struct Where {
  std::string text;
  std::vector<SqlValue> values;

  void add(std::string_view condition, const SqlValue& value) {
    text += fmt::format(" and {}", condition);
    values.push_back(value);
  }
  void add_any(const std::vector<const char*>& columns, const std::vector<std::string>& wanted) {
    if (wanted.empty()) return;
    std::string either;
    for (const char* column : columns) {
      either += fmt::format("{}{} in {}", either.empty() ? "" : " or ", column,
                            row_marks(1, wanted.size()));
      values.insert(values.end(), wanted.begin(), wanted.end());
    }
    text += fmt::format(" and ({})", either);
  }
  void add_resources(const std::vector<std::string>& wanted) {
    if (wanted.empty()) return;
    text += fmt::format(" and idx in (select idx from audit_resource where resource in {})",
                        row_marks(1, wanted.size()));
    values.insert(values.end(), wanted.begin(), wanted.end());
  }
};

Where where_of(const AuditFilter& filter) {
  Where where{"organization = ?", {filter.organization}};
  if (filter.from_ms) where.add("time_ms >= ?", *filter.from_ms);
  if (filter.before_ms) where.add("time_ms < ?", *filter.before_ms);
  where.add_any({"project"}, filter.projects);
  where.add_any({"type"}, filter.types);
  where.add_any({"actor", "owner"}, filter.actors);
  where.add_any({"email"}, filter.emails);
  where.add_resources(filter.resources);
  return where;
}

absl::Status add_cursor(Sql& sql, const AuditFilter& filter, Where& where) {
  const bool back = !filter.before.empty();
  const auto& cursor = back ? filter.before : filter.after;
  if (cursor.empty()) return absl::OkStatus();
  const auto row = sql.first("select idx from audit_record where id = ? and organization = ?",
                             {cursor, filter.organization}, 1);
  if (!row) return base::not_found("No such audit log entry: " + cursor);
  where.add(back ? "idx > ?" : "idx < ?", row->integer(0));
  return absl::OkStatus();
}

// Of records with these indices, which lie close together.
void read_resources(Sql& sql, std::vector<AuditRow>& rows) {
  if (rows.empty()) return;
  std::map<std::int64_t, AuditRow*> by_index;
  for (auto& row : rows) by_index[row.index] = &row;
  std::vector<SqlValue> indices;
  for (const auto& entry : by_index) indices.emplace_back(entry.first);
  sql.each(fmt::format("select idx, resource from audit_resource where idx in {}",
                       row_marks(1, indices.size())),
           indices, 2, [&](const SqlRow& row) {
             by_index.at(row.integer(0))->resources.push_back(row.text(1));
           });
  // By bytes, whatever the database's collation.
  for (auto& row : rows) std::sort(row.resources.begin(), row.resources.end());
}

}  // namespace

absl::Status AuditStore::append(
    const std::function<absl::StatusOr<AuditRow>(const AuditHead&)>& make) {
  return database_.transaction("append to the audit log", [&](Sql& sql) {
    if (sql.dialect() == Dialect::postgresql) {
      sql.each("select pg_advisory_xact_lock(7236850)", {}, 1, [](const SqlRow&) {});
    }
    ASSIGN_OR_RETURN(const auto row, make(read_head(sql)));
    sql.run(fmt::format("insert into audit_record ({}) values {}", kColumns, row_marks(1, kCount)),
            {row.index, row.id, row.time_ms, row.record, row.hash, row.organization, row.type,
             row.project, row.actor, row.owner, row.email});
    // Where somebody cut records off, acts go on all the same; who verifies names what is missing.
    sql.run("delete from audit_resource where idx = ?", {row.index});
    for (const auto& resource : row.resources) {
      sql.run("insert into audit_resource (resource, idx) values (?,?)", {resource, row.index});
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<AuditHead> AuditStore::head() {
  AuditHead head;
  RETURN_IF_ERROR(database_.read("read the audit log's head", [&](Sql& sql) {
    head = read_head(sql);
    return absl::OkStatus();
  }));
  return head;
}

absl::StatusOr<std::vector<AuditRow>> AuditStore::rows(std::int64_t from, std::int64_t limit) {
  std::vector<AuditRow> found;
  RETURN_IF_ERROR(database_.read("read the audit log", [&](Sql& sql) {
    found.clear();
    sql.each(
        fmt::format("select {} from audit_record where idx >= ? order by idx limit ?", kColumns),
        {from, limit}, kCount, [&](const SqlRow& row) { found.push_back(to_row(row)); });
    read_resources(sql, found);
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<Page<AuditRow>> AuditStore::list(const AuditFilter& filter) {
  Page<AuditRow> page;
  const bool back = !filter.before.empty();
  RETURN_IF_ERROR(database_.read("list the audit log", [&](Sql& sql) {
    page = {};
    auto where = where_of(filter);
    if (const auto status = add_cursor(sql, filter, where); !status.ok()) return status;
    where.values.emplace_back(filter.limit + 1);
    sql.each(fmt::format("select {} from audit_record where {} order by idx {} limit ?", kColumns,
                         where.text, back ? "asc" : "desc"),
             where.values, kCount, [&](const SqlRow& row) { page.rows.push_back(to_row(row)); });
    page.has_more = static_cast<std::int64_t>(page.rows.size()) > filter.limit;
    if (page.has_more) page.rows.pop_back();
    return absl::OkStatus();
  }));
  if (back) std::reverse(page.rows.begin(), page.rows.end());
  return page;
}

absl::Status AuditStore::insert_checkpoint(const AuditCheckpointRow& row) {
  return database_.transaction("keep a checkpoint", [&](Sql& sql) {
    sql.run(
        "insert into audit_checkpoint (size, checkpoint, signature, frontier) values (?,?,?,?)"
        " on conflict do nothing",
        {row.size, row.checkpoint, row.signature, row.frontier});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<AuditCheckpointRow>> AuditStore::checkpoints(std::int64_t after_size,
                                                                        std::int64_t limit) {
  std::vector<AuditCheckpointRow> found;
  RETURN_IF_ERROR(database_.read("read checkpoints", [&](Sql& sql) {
    found.clear();
    sql.each(std::string(kCheckpoint) + " where size > ? order by size limit ?",
             {after_size, limit}, 4,
             [&](const SqlRow& row) { found.push_back(to_checkpoint(row)); });
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<std::optional<AuditCheckpointRow>> AuditStore::last_checkpoint() {
  std::optional<AuditCheckpointRow> found;
  RETURN_IF_ERROR(database_.read("read the last checkpoint", [&](Sql& sql) {
    const auto row = sql.first(std::string(kCheckpoint) + " order by size desc limit 1", {}, 4);
    found = row ? std::optional(to_checkpoint(*row)) : std::nullopt;
    return absl::OkStatus();
  }));
  return found;
}

}  // namespace plinth::store
