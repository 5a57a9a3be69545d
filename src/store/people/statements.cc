#include "store/people/statements.h"

#include <fmt/format.h>

#include "absl/strings/ascii.h"
#include "store/paging.h"

namespace plinth::store {

namespace {

constexpr const char* kPersonNames[kPersonColumns] = {"id",           "organization", "email",
                                                      "name",         "issuer",       "subject",
                                                      "password_phc", "added_s",      "disabled_s"};

std::int64_t count_owners(Sql& sql, const std::string& organization) {
  return sql
      .first(
          "select count(*) from person p where p.organization = ? and p.disabled_s is null and"
          " (exists (select 1 from role_assignment a where a.role = 'owner' and a.project = ''"
          " and a.kind = 'user' and a.subject = p.id)"
          " or exists (select 1 from role_assignment a join group_member m on m.group_id = "
          "a.subject"
          " where a.role = 'owner' and a.project = '' and a.kind = 'group' and m.person = p.id))",
          {organization}, 1)
      ->integer(0);
}

}  // namespace

absl::Status none_of(std::string_view kind, std::string_view id) {
  return base::not_found(fmt::format("No such {}: {}", kind, id));
}

std::string email_key(const std::optional<std::string>& email) {
  return absl::AsciiStrToLower(email.value_or(""));
}

std::string person_columns(std::string_view prefix) {
  std::string all;
  for (const auto* name : kPersonNames)
    all += fmt::format("{}{}{}", all.empty() ? "" : ", ", prefix, name);
  return all;
}

PersonRow to_person(const SqlRow& row) {
  return {row.text(0),         row.text(1),       row.maybe_text(2), row.text(3),     //
          row.maybe_text(4),   row.maybe_text(5), row.maybe_text(6), row.integer(7),  //
          row.maybe_integer(8)};
}

void insert_person(Sql& sql, const PersonRow& row) {
  const auto key = row.email ? SqlValue(email_key(row.email)) : SqlValue(nullptr);
  sql.run(fmt::format("insert into person (seq, email_key, {}) values {}", person_columns(),
                      row_marks(1, kPersonColumns + 2)),
          {next_seq(sql, "person"), key, row.id, row.organization, or_null(row.email), row.name,
           or_null(row.issuer), or_null(row.subject), or_null(row.password_phc), row.added_s,
           or_null(row.disabled_s)});
}

void insert_assignment(Sql& sql, const Subject& subject, const std::string& project,
                       const std::string& role, std::int64_t time_s) {
  sql.run(
      "insert into role_assignment (seq, kind, subject, project, role, assigned_s)"
      " values (?,?,?,?,?,?) on conflict do nothing",
      {next_seq(sql, "role_assignment"), subject.kind, subject.id, project, role, time_s});
}

void insert_member(Sql& sql, const std::string& project, const Subject& subject,
                   std::int64_t time_s) {
  sql.run(
      "insert into project_member (seq, project, kind, subject, added_s) values (?,?,?,?,?)"
      " on conflict do nothing",
      {next_seq(sql, "project_member"), project, subject.kind, subject.id, time_s});
}

void erase_subject(Sql& sql, const Subject& subject) {
  for (const char* table : {"role_assignment", "project_member"}) {
    sql.run(fmt::format("delete from {} where kind = ? and subject = ?", table),
            {subject.kind, subject.id});
  }
}

void end_keys_and_sessions(Sql& sql, const std::string& person, std::int64_t time_s) {
  sql.run("update api_key set revoked_unix_s = coalesce(revoked_unix_s, ?) where person = ?",
          {time_s, person});
  sql.run("delete from person_session where person = ?", {person});
}

absl::Status keep_an_owner(Sql& sql, const std::string& organization,
                           const std::function<absl::Status()>& change) {
  // Two that each remove the other's reason to be allowed must not run side by side.
  if (sql.dialect() == Dialect::postgresql)
    sql.each("select pg_advisory_xact_lock(7236845)", {}, 1, [](const SqlRow&) {});
  const bool had_one = count_owners(sql, organization) > 0;
  RETURN_IF_ERROR(change());
  if (!had_one || count_owners(sql, organization) > 0) return absl::OkStatus();
  return base::invalid_argument(
      "The last owner of the organization cannot be removed, disabled or given a lesser role.");
}

}  // namespace plinth::store
