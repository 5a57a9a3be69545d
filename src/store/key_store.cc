#include "store/key_store.h"

#include <fmt/format.h>

namespace plinth::store {

namespace {

constexpr char kColumns[] =
    "id, organization, project, name, role, secret_hmac, hint, service_account, models, networks,"
    " scopes, person, created_unix_s, expires_unix_s, revoked_unix_s, last_used_unix_s";
constexpr std::size_t kCount = 16;

KeyRow to_row(const SqlRow& from) {
  KeyRow row;
  std::size_t at = 0;
  for (auto* text : {&row.id, &row.organization, &row.project, &row.name, &row.role,
                     &row.secret_hmac, &row.hint}) {
    *text = from.text(at++);
  }
  for (auto* text : {&row.service_account, &row.models, &row.networks, &row.scopes, &row.person}) {
    *text = from.maybe_text(at++);
  }
  row.created_unix_s = from.integer(at++);
  for (auto* time : {&row.expires_unix_s, &row.revoked_unix_s, &row.last_used_unix_s}) {
    *time = from.maybe_integer(at++);
  }
  return row;
}

absl::Status no_key(const std::string& id) { return base::not_found("No such key: " + id); }

}  // namespace

absl::Status KeyStore::insert(const KeyRow& row) {
  return database_.transaction("insert key", [&](Sql& sql) {
    sql.run(
        fmt::format("insert into api_key (seq, {}) values {}", kColumns, row_marks(1, kCount + 1)),
        {next_seq(sql, "api_key"), row.id, row.organization, row.project, row.name, row.role,
         row.secret_hmac, row.hint, or_null(row.service_account), or_null(row.models),
         or_null(row.networks), or_null(row.scopes), or_null(row.person), row.created_unix_s,
         or_null(row.expires_unix_s), or_null(row.revoked_unix_s), or_null(row.last_used_unix_s)});
    return absl::OkStatus();
  });
}

absl::StatusOr<KeyRow> KeyStore::find(const std::string& id) {
  KeyRow found;
  RETURN_IF_ERROR(database_.read("find key", [&](Sql& sql) {
    const auto row =
        sql.first(fmt::format("select {} from api_key where id = ?", kColumns), {id}, kCount);
    if (!row) return no_key(id);
    found = to_row(*row);
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<Page<KeyRow>> KeyStore::list(const std::string& role, const std::string& project,
                                            const PageRequest& page) {
  Page<KeyRow> found;
  RETURN_IF_ERROR(database_.read("list keys", [&](Sql& sql) {
    found = {};
    const auto after = seq_of(sql, "api_key", page.after);
    if (!after) return no_key(page.after);
    std::vector<SqlValue> values{role, *after};
    if (!project.empty()) values.emplace_back(project);
    values.emplace_back(page.limit + 1);
    sql.each(fmt::format("select {} from api_key where role = ? and seq > ? and revoked_unix_s is"
                         " null{} order by seq limit ?",
                         kColumns, project.empty() ? "" : " and project = ?"),
             values, kCount, [&](const SqlRow& row) { found.rows.push_back(to_row(row)); });
    found.has_more = static_cast<std::int64_t>(found.rows.size()) > page.limit;
    if (found.has_more) found.rows.pop_back();
    return absl::OkStatus();
  }));
  return found;
}

absl::Status KeyStore::revoke(const std::string& id, std::int64_t unix_s) {
  return database_.transaction("revoke key", [&](Sql& sql) {
    const bool found =
        sql.run("update api_key set revoked_unix_s = coalesce(revoked_unix_s, ?) where id = ?",
                {unix_s, id}) > 0;
    return found ? absl::OkStatus() : no_key(id);
  });
}

absl::Status KeyStore::revoke_project(const std::string& project, std::int64_t unix_s) {
  return database_.transaction("revoke a project's keys", [&](Sql& sql) {
    sql.run("update api_key set revoked_unix_s = coalesce(revoked_unix_s, ?) where project = ?",
            {unix_s, project});
    return absl::OkStatus();
  });
}

absl::Status KeyStore::expire(const std::string& id, std::int64_t unix_s) {
  return database_.transaction("expire key", [&](Sql& sql) {
    const bool found =
        sql.run("update api_key set expires_unix_s = ? where id = ?", {unix_s, id}) > 0;
    return found ? absl::OkStatus() : no_key(id);
  });
}

absl::Status KeyStore::set_scopes(const std::string& id, const std::optional<std::string>& scopes) {
  return database_.transaction("change a key's scopes", [&](Sql& sql) {
    const bool found =
        sql.run("update api_key set scopes = ? where id = ?", {or_null(scopes), id}) > 0;
    return found ? absl::OkStatus() : no_key(id);
  });
}

absl::Status KeyStore::touch(const std::vector<std::pair<std::string, std::int64_t>>& used) {
  return database_.transaction("note the use of keys", [&](Sql& sql) {
    for (const auto& [id, time] : used) {
      sql.run("update api_key set last_used_unix_s = ? where id = ?", {time, id});
    }
    return absl::OkStatus();
  });
}

}  // namespace plinth::store
