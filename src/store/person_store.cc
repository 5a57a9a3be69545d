#include "store/person_store.h"

#include <fmt/format.h>

#include "store/people/statements.h"

namespace plinth::store {

namespace {

absl::StatusOr<PersonRow> find_where(Database& database, std::string_view condition,
                                     const std::vector<SqlValue>& values, std::string_view name) {
  PersonRow found;
  RETURN_IF_ERROR(database.read("find a user", [&](Sql& sql) {
    const auto row =
        sql.first(fmt::format("select {} from person where {}", person_columns(), condition),
                  values, kPersonColumns);
    if (!row) return none_of("user", name);
    found = to_person(*row);
    return absl::OkStatus();
  }));
  return found;
}

}  // namespace

absl::Status PersonStore::insert(const PersonRow& row) {
  return database_.transaction("add a user", [&](Sql& sql) {
    insert_person(sql, row);
    return absl::OkStatus();
  });
}

absl::StatusOr<PersonRow> PersonStore::find(const std::string& organization,
                                            const std::string& id) {
  return find_where(database_, "organization = ? and id = ?", {organization, id}, id);
}

absl::StatusOr<PersonRow> PersonStore::find_by_email(const std::string& organization,
                                                     const std::string& email) {
  return find_where(database_, "organization = ? and email_key = ?",
                    {organization, email_key(email)}, email);
}

absl::StatusOr<PersonRow> PersonStore::find_by_identity(const std::string& issuer,
                                                        const std::string& subject) {
  return find_where(database_, "issuer = ? and subject = ?", {issuer, subject}, subject);
}

absl::StatusOr<Page<PersonRow>> PersonStore::list(const std::string& organization,
                                                  const std::vector<std::string>& emails,
                                                  const PageRequest& page) {
  std::vector<PersonRow> rows;
  RETURN_IF_ERROR(database_.read("list users", [&](Sql& sql) {
    rows.clear();
    const auto after = seq_of(sql, "person", page.after);
    if (!after) return none_of("user", page.after);
    std::vector<SqlValue> values{organization, *after};
    std::string filter;
    if (!emails.empty()) {
      filter = " and email_key in " + row_marks(1, emails.size());
      for (const auto& email : emails) values.emplace_back(email_key(email));
    }
    values.emplace_back(page.limit + 1);
    sql.each(fmt::format(
                 "select {} from person where organization = ? and seq > ?{} order by seq limit ?",
                 person_columns(), filter),
             values, kPersonColumns, [&](const SqlRow& row) { rows.push_back(to_person(row)); });
    return absl::OkStatus();
  }));
  return cut(std::move(rows), page.limit);
}

absl::Status PersonStore::rename(const std::string& id, const std::string& name) {
  return database_.transaction("rename a user", [&](Sql& sql) {
    const bool found = sql.run("update person set name = ? where id = ?", {name, id}) > 0;
    return found ? absl::OkStatus() : none_of("user", id);
  });
}

absl::Status PersonStore::set_identity(const std::string& id, const std::string& issuer,
                                       const std::string& subject) {
  return database_.transaction("link a user's identity", [&](Sql& sql) {
    const bool found = sql.run("update person set issuer = ?, subject = ? where id = ?",
                               {issuer, subject, id}) > 0;
    return found ? absl::OkStatus() : none_of("user", id);
  });
}

absl::Status PersonStore::set_password(const std::string& id,
                                       const std::optional<std::string>& expected,
                                       const std::string& phc) {
  // Not by the body's own status: Aborted would run it again.
  bool replaced = false;
  RETURN_IF_ERROR(database_.transaction("set a user's password", [&](Sql& sql) {
    if (!sql.first("select id from person where id = ?", {id}, 1)) return none_of("user", id);
    replaced = sql.run(
                   "update person set password_phc = ? where id = ? and"
                   " coalesce(password_phc, '') = ?",
                   {phc, id, expected.value_or("")}) > 0;
    return absl::OkStatus();
  }));
  return replaced ? absl::OkStatus()
                  : absl::AbortedError("[store] the password was changed meanwhile");
}

absl::Status PersonStore::disable(const std::string& organization, const std::string& id,
                                  std::int64_t time_s) {
  return database_.transaction("disable a user", [&](Sql& sql) {
    return keep_an_owner(sql, organization, [&] {
      const bool found = sql.run(
                             "update person set disabled_s = coalesce(disabled_s, ?)"
                             " where organization = ? and id = ?",
                             {time_s, organization, id}) > 0;
      if (!found) return none_of("user", id);
      end_keys_and_sessions(sql, id, time_s);
      return absl::OkStatus();
    });
  });
}

absl::Status PersonStore::enable(const std::string& organization, const std::string& id) {
  return database_.transaction("enable a user", [&](Sql& sql) {
    const bool found =
        sql.run("update person set disabled_s = null where organization = ? and id = ?",
                {organization, id}) > 0;
    return found ? absl::OkStatus() : none_of("user", id);
  });
}

absl::Status PersonStore::remove(const std::string& organization, const std::string& id,
                                 std::int64_t time_s) {
  return database_.transaction("remove a user", [&](Sql& sql) {
    return keep_an_owner(sql, organization, [&] {
      const bool found =
          sql.run("delete from person where organization = ? and id = ?", {organization, id}) > 0;
      if (!found) return none_of("user", id);
      end_keys_and_sessions(sql, id, time_s);
      erase_subject(sql, user_subject(id));
      sql.run("delete from group_member where person = ?", {id});
      return absl::OkStatus();
    });
  });
}

absl::StatusOr<std::optional<std::int64_t>> PersonStore::key_last_used_s(const std::string& id) {
  std::optional<std::int64_t> used;
  RETURN_IF_ERROR(database_.read("find the last use of a user's keys", [&](Sql& sql) {
    used = sql.first("select max(last_used_unix_s) from api_key where person = ?", {id}, 1)
               ->maybe_integer(0);
    return absl::OkStatus();
  }));
  return used;
}

}  // namespace plinth::store
