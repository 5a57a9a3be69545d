#include "store/tenant_store.h"

#include <fmt/format.h>

namespace plinth::store {

namespace {

constexpr char kProject[] = "select id, organization, name, created_s, archived_s from project";
ProjectRow to_project(const SqlRow& row) {
  return {row.text(0), row.text(1), row.text(2), row.integer(3), row.maybe_integer(4)};
}

constexpr char kAccount[] = "select id, project, name, role, created_s from service_account";
ServiceAccountRow to_account(const SqlRow& row) {
  return {row.text(0), row.text(1), row.text(2), row.text(3), row.integer(4)};
}

absl::Status no(std::string_view kind, std::string_view id) {
  return base::not_found(fmt::format("No such {}: {}", kind, id));
}

}  // namespace

absl::Status TenantStore::ensure_organization(const OrganizationRow& row) {
  return database_.transaction("make an organization", [&](Sql& sql) {
    sql.run("insert into organization (id, name, created_s) values (?,?,?) on conflict do nothing",
            {row.id, row.name, row.created_s});
    return absl::OkStatus();
  });
}

absl::StatusOr<OrganizationRow> TenantStore::organization(const std::string& id) {
  OrganizationRow found;
  RETURN_IF_ERROR(database_.read("find an organization", [&](Sql& sql) {
    const auto row =
        sql.first("select id, name, created_s from organization where id = ?", {id}, 3);
    if (!row) return no("organization", id);
    found = {row->text(0), row->text(1), row->integer(2)};
    return absl::OkStatus();
  }));
  return found;
}

absl::Status TenantStore::insert_project(const ProjectRow& row) {
  return database_.transaction("make a project", [&](Sql& sql) {
    sql.run(
        "insert into project (id, seq, organization, name, created_s, archived_s)"
        " values (?,?,?,?,?,?)",
        {row.id, next_seq(sql, "project"), row.organization, row.name, row.created_s,
         or_null(row.archived_s)});
    return absl::OkStatus();
  });
}

absl::StatusOr<ProjectRow> TenantStore::project(const std::string& id) {
  ProjectRow found;
  RETURN_IF_ERROR(database_.read("find a project", [&](Sql& sql) {
    const auto row = sql.first(std::string(kProject) + " where id = ?", {id}, 5);
    if (!row) return no("project", id);
    found = to_project(*row);
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<Page<ProjectRow>> TenantStore::projects(const std::string& organization,
                                                       const PageRequest& page,
                                                       bool with_archived) {
  std::vector<ProjectRow> rows;
  RETURN_IF_ERROR(database_.read("list projects", [&](Sql& sql) {
    rows.clear();
    const auto after = seq_of(sql, "project", page.after);
    if (!after) return no("project", page.after);
    sql.each(fmt::format("{} where organization = ? and seq > ?{} order by seq limit ?", kProject,
                         with_archived ? "" : " and archived_s is null"),
             {organization, *after, page.limit + 1}, 5,
             [&](const SqlRow& row) { rows.push_back(to_project(row)); });
    return absl::OkStatus();
  }));
  return cut(std::move(rows), page.limit);
}

absl::Status TenantStore::rename_project(const std::string& id, const std::string& name) {
  return database_.transaction("rename a project", [&](Sql& sql) {
    const bool found = sql.run("update project set name = ? where id = ?", {name, id}) > 0;
    return found ? absl::OkStatus() : no("project", id);
  });
}

absl::Status TenantStore::archive_project(const std::string& id, std::int64_t time_s) {
  return database_.transaction("archive a project", [&](Sql& sql) {
    const bool found =
        sql.run("update project set archived_s = coalesce(archived_s, ?) where id = ?",
                {time_s, id}) > 0;
    return found ? absl::OkStatus() : no("project", id);
  });
}

absl::Status TenantStore::insert_service_account(const ServiceAccountRow& row) {
  return database_.transaction("make a service account", [&](Sql& sql) {
    sql.run(
        "insert into service_account (id, seq, project, name, role, created_s)"
        " values (?,?,?,?,?,?)",
        {row.id, next_seq(sql, "service_account"), row.project, row.name, row.role, row.created_s});
    return absl::OkStatus();
  });
}

absl::StatusOr<ServiceAccountRow> TenantStore::service_account(const std::string& id) {
  ServiceAccountRow found;
  RETURN_IF_ERROR(database_.read("find a service account", [&](Sql& sql) {
    const auto row = sql.first(std::string(kAccount) + " where id = ?", {id}, 5);
    if (!row) return no("service account", id);
    found = to_account(*row);
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<Page<ServiceAccountRow>> TenantStore::service_accounts(const std::string& project,
                                                                      const PageRequest& page) {
  std::vector<ServiceAccountRow> rows;
  RETURN_IF_ERROR(database_.read("list service accounts", [&](Sql& sql) {
    rows.clear();
    const auto after = seq_of(sql, "service_account", page.after);
    if (!after) return no("service account", page.after);
    sql.each(std::string(kAccount) + " where project = ? and seq > ? order by seq limit ?",
             {project, *after, page.limit + 1}, 5,
             [&](const SqlRow& row) { rows.push_back(to_account(row)); });
    return absl::OkStatus();
  }));
  return cut(std::move(rows), page.limit);
}

absl::Status TenantStore::update_service_account(const ServiceAccountRow& row) {
  return database_.transaction("change a service account", [&](Sql& sql) {
    const bool found = sql.run("update service_account set name = ?, role = ? where id = ?",
                               {row.name, row.role, row.id}) > 0;
    return found ? absl::OkStatus() : no("service account", row.id);
  });
}

absl::Status TenantStore::remove_service_account(const std::string& id) {
  return database_.transaction("remove a service account", [&](Sql& sql) {
    const bool found = sql.run("delete from service_account where id = ?", {id}) > 0;
    return found ? absl::OkStatus() : no("service account", id);
  });
}

}  // namespace plinth::store
