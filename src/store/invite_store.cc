#include "store/invite_store.h"

#include <fmt/format.h>

#include "store/people/statements.h"

namespace plinth::store {

namespace {

constexpr char kColumns[] =
    "id, organization, email, role, projects, token_hash, created_s, expires_s, accepted_s";
constexpr std::size_t kCount = 9;

InviteRow to_invite(const SqlRow& row) {
  return {row.text(0), row.text(1),    row.text(2),    row.text(3),         row.text(4),
          row.text(5), row.integer(6), row.integer(7), row.maybe_integer(8)};
}

absl::StatusOr<InviteRow> find_where(Database& database, std::string_view condition,
                                     const std::vector<SqlValue>& values, std::string_view name) {
  InviteRow found;
  RETURN_IF_ERROR(database.read("find an invite", [&](Sql& sql) {
    const auto row = sql.first(fmt::format("select {} from invite where {}", kColumns, condition),
                               values, kCount);
    if (!row) return none_of("invite", name);
    found = to_invite(*row);
    return absl::OkStatus();
  }));
  return found;
}

}  // namespace

absl::Status InviteStore::insert(const InviteRow& row) {
  return database_.transaction("invite", [&](Sql& sql) {
    const auto seq = next_seq(sql, "invite");  // first: what is looked up stays true
    const auto key = email_key(row.email);
    if (sql.first("select 1 from person where organization = ? and email_key = ?",
                  {row.organization, key}, 1)) {
      return absl::AlreadyExistsError(row.email + " is a user already.");
    }
    if (sql.first("select 1 from invite where organization = ? and email_key = ? and accepted_s is"
                  " null and expires_s > ?",
                  {row.organization, key, row.created_s}, 1)) {
      return absl::AlreadyExistsError(row.email + " has an invite that is still good.");
    }
    sql.run(fmt::format("insert into invite (seq, email_key, {}) values {}", kColumns,
                        row_marks(1, kCount + 2)),
            {seq, key, row.id, row.organization, row.email, row.role, row.projects, row.token_hash,
             row.created_s, row.expires_s, or_null(row.accepted_s)});
    return absl::OkStatus();
  });
}

absl::StatusOr<InviteRow> InviteStore::find(const std::string& organization,
                                            const std::string& id) {
  return find_where(database_, "organization = ? and id = ?", {organization, id}, id);
}

absl::StatusOr<InviteRow> InviteStore::find_by_token(const std::string& token_hash) {
  return find_where(database_, "token_hash = ?", {token_hash}, "(its token)");
}

absl::StatusOr<InviteRow> InviteStore::find_open(const std::string& organization,
                                                 const std::string& email, std::int64_t now_s) {
  return find_where(database_,
                    "organization = ? and email_key = ? and accepted_s is null and expires_s > ?",
                    {organization, email_key(email), now_s}, email);
}

absl::StatusOr<Page<InviteRow>> InviteStore::list(const std::string& organization,
                                                  const PageRequest& page) {
  std::vector<InviteRow> rows;
  RETURN_IF_ERROR(database_.read("list invites", [&](Sql& sql) {
    rows.clear();
    const auto after = seq_of(sql, "invite", page.after);
    if (!after) return none_of("invite", page.after);
    sql.each(
        fmt::format("select {} from invite where organization = ? and seq > ? order by seq limit ?",
                    kColumns),
        {organization, *after, page.limit + 1}, kCount,
        [&](const SqlRow& row) { rows.push_back(to_invite(row)); });
    return absl::OkStatus();
  }));
  return cut(std::move(rows), page.limit);
}

absl::Status InviteStore::remove(const std::string& organization, const std::string& id) {
  return database_.transaction("remove an invite", [&](Sql& sql) {
    const bool found =
        sql.run("delete from invite where organization = ? and id = ?", {organization, id}) > 0;
    return found ? absl::OkStatus() : none_of("invite", id);
  });
}

absl::Status InviteStore::accept(const std::string& id, const PersonRow& person,
                                 const std::vector<std::pair<std::string, std::string>>& roles,
                                 std::int64_t time_s) {
  return database_.transaction("accept an invite", [&](Sql& sql) {
    const bool open = sql.run(
                          "update invite set accepted_s = ? where id = ? and accepted_s is null"
                          " and expires_s > ?",
                          {time_s, id, time_s}) > 0;
    if (!open) return none_of("open invite", id);
    insert_person(sql, person);
    const auto subject = user_subject(person.id);
    for (const auto& [project, role] : roles) {
      insert_assignment(sql, subject, project, role, time_s);
      if (!project.empty()) insert_member(sql, project, subject, time_s);
    }
    return absl::OkStatus();
  });
}

}  // namespace plinth::store
