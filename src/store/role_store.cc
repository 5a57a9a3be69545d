#include "store/role_store.h"

#include <fmt/format.h>

#include "store/people/statements.h"

namespace plinth::store {

namespace {

constexpr char kRole[] =
    "select id, organization, project, name, description, permissions, created_s, updated_s"
    " from custom_role";
RoleRow to_role(const SqlRow& row) {
  return {row.text(0),       row.text(1), row.text(2),    row.text(3),
          row.maybe_text(4), row.text(5), row.integer(6), row.integer(7)};
}

constexpr char kAssignment[] =
    "select a.kind, a.subject, a.project, a.role, a.assigned_s from role_assignment a";
AssignmentRow to_assignment(const SqlRow& row) {
  return {{row.text(0), row.text(1)}, row.text(2), row.text(3), row.integer(4)};
}

absl::Status no_member(const Subject& subject) {
  return none_of(subject.kind + " of the project", subject.id);
}

}  // namespace

absl::Status RoleStore::insert(const RoleRow& row) {
  return database_.transaction("make a role", [&](Sql& sql) {
    sql.run(
        "insert into custom_role (id, seq, organization, project, name, description, permissions,"
        " created_s, updated_s) values (?,?,?,?,?,?,?,?,?)",
        {row.id, next_seq(sql, "custom_role"), row.organization, row.project, row.name,
         or_null(row.description), row.permissions, row.created_s, row.updated_s});
    return absl::OkStatus();
  });
}

absl::StatusOr<RoleRow> RoleStore::find(const std::string& organization, const std::string& project,
                                        const std::string& id) {
  RoleRow found;
  RETURN_IF_ERROR(database_.read("find a role", [&](Sql& sql) {
    const auto row =
        sql.first(fmt::format("{} where organization = ? and project = ? and id = ?", kRole),
                  {organization, project, id}, 8);
    if (!row) return none_of("role", id);
    found = to_role(*row);
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<std::vector<RoleRow>> RoleStore::list(const std::string& organization,
                                                     const std::string& project) {
  std::vector<RoleRow> rows;
  RETURN_IF_ERROR(database_.read("list roles", [&](Sql& sql) {
    rows.clear();
    sql.each(fmt::format("{} where organization = ? and project = ? order by seq", kRole),
             {organization, project}, 8, [&](const SqlRow& row) { rows.push_back(to_role(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status RoleStore::update(const RoleRow& row) {
  return database_.transaction("change a role", [&](Sql& sql) {
    const bool found = sql.run(
                           "update custom_role set name = ?, description = ?, permissions = ?,"
                           " updated_s = ? where organization = ? and id = ?",
                           {row.name, or_null(row.description), row.permissions, row.updated_s,
                            row.organization, row.id}) > 0;
    return found ? absl::OkStatus() : none_of("role", row.id);
  });
}

absl::Status RoleStore::remove(const std::string& organization, const std::string& id) {
  return database_.transaction("remove a role", [&](Sql& sql) {
    const bool found = sql.run("delete from custom_role where organization = ? and id = ?",
                               {organization, id}) > 0;
    if (!found) return none_of("role", id);
    sql.run("delete from role_assignment where role = ?", {id});
    return absl::OkStatus();
  });
}

absl::Status RoleStore::change(const std::string& organization, const Subject& subject,
                               const std::string& project, const std::vector<std::string>& take,
                               const std::string& add, std::int64_t time_s) {
  return database_.transaction("change who has a role", [&](Sql& sql) {
    return keep_an_owner(sql, organization, [&] {
      for (const auto& role : take) {
        if (role == add) continue;
        const bool found = sql.run(
                               "delete from role_assignment where kind = ? and subject = ? and"
                               " project = ? and role = ?",
                               {subject.kind, subject.id, project, role}) > 0;
        if (!found) return none_of("role of this " + subject.kind, role);
      }
      if (!add.empty()) {
        insert_assignment(sql, subject, project, add, time_s);
        if (!project.empty()) insert_member(sql, project, subject, time_s);
      }
      return absl::OkStatus();
    });
  });
}

absl::StatusOr<std::vector<AssignmentRow>> RoleStore::roles_of(const Subject& subject) {
  std::vector<AssignmentRow> rows;
  RETURN_IF_ERROR(database_.read("list roles of a subject", [&](Sql& sql) {
    rows.clear();
    sql.each(fmt::format("{} where a.kind = ? and a.subject = ? order by a.seq", kAssignment),
             {subject.kind, subject.id}, 5,
             [&](const SqlRow& row) { rows.push_back(to_assignment(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

absl::StatusOr<std::vector<AssignmentRow>> RoleStore::all_roles_of_user(const std::string& person) {
  std::vector<AssignmentRow> rows;
  RETURN_IF_ERROR(database_.read("list roles of a user", [&](Sql& sql) {
    rows.clear();
    sql.each(fmt::format("{} where (a.kind = 'user' and a.subject = ?) or (a.kind = 'group' and"
                         " a.subject in (select group_id from group_member where person = ?))"
                         " order by a.seq",
                         kAssignment),
             {person, person}, 5, [&](const SqlRow& row) { rows.push_back(to_assignment(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

absl::StatusOr<Page<MemberRow>> RoleStore::members(const std::string& project,
                                                   const std::string& kind,
                                                   const PageRequest& page) {
  std::vector<MemberRow> rows;
  RETURN_IF_ERROR(database_.read("list a project's members", [&](Sql& sql) {
    rows.clear();
    std::int64_t after = -1;
    if (!page.after.empty()) {
      const auto row =
          sql.first("select seq from project_member where project = ? and kind = ? and subject = ?",
                    {project, kind, page.after}, 1);
      if (!row) return no_member({kind, page.after});
      after = row->integer(0);
    }
    const auto order = page_order(page, "seq", after);
    sql.each(
        "select subject, added_s from project_member where project = ? and kind = ?" + order.clause,
        {project, kind, order.bound, page.limit + 1}, 2, [&](const SqlRow& row) {
          rows.push_back({{kind, row.text(0)}, row.integer(1)});
        });
    return absl::OkStatus();
  }));
  return cut(std::move(rows), page.limit);
}

absl::StatusOr<MemberRow> RoleStore::member(const std::string& project, const Subject& subject) {
  MemberRow found;
  RETURN_IF_ERROR(database_.read("find a project's member", [&](Sql& sql) {
    const auto row = sql.first(
        "select added_s from project_member where project = ? and kind = ? and subject = ?",
        {project, subject.kind, subject.id}, 1);
    if (!row) return no_member(subject);
    found = {subject, row->integer(0)};
    return absl::OkStatus();
  }));
  return found;
}

absl::Status RoleStore::remove_member(const std::string& project, const Subject& subject) {
  return database_.transaction("remove a project's member", [&](Sql& sql) {
    const bool found =
        sql.run("delete from project_member where project = ? and kind = ? and subject = ?",
                {project, subject.kind, subject.id}) > 0;
    if (!found) return no_member(subject);
    sql.run("delete from role_assignment where project = ? and kind = ? and subject = ?",
            {project, subject.kind, subject.id});
    return absl::OkStatus();
  });
}

}  // namespace plinth::store
