#include "store/session_store.h"

#include "store/people/statements.h"

namespace plinth::store {

namespace {

constexpr char kSession[] =
    "select id_hash, person, created_s, last_seen_s, expires_s, claims from person_session";
PersonSessionRow to_session(const SqlRow& row) {
  return {row.text(0),    row.text(1),    row.integer(2),
          row.integer(3), row.integer(4), row.maybe_text(5)};
}

}  // namespace

absl::Status SessionStore::insert(const PersonSessionRow& row) {
  return database_.transaction("begin a session", [&](Sql& sql) {
    // The row is locked (by what changes nothing), so that no session begins while its person is
    // being disabled.
    const bool known = sql.run("update person set name = name where id = ? and disabled_s is null",
                               {row.person}) > 0;
    if (!known) return none_of("user", row.person);
    sql.run(
        "insert into person_session (id_hash, person, created_s, last_seen_s, expires_s, claims)"
        " values (?,?,?,?,?,?)",
        {row.id_hash, row.person, row.created_s, row.last_seen_s, row.expires_s,
         or_null(row.claims)});
    return absl::OkStatus();
  });
}

absl::StatusOr<PersonSessionRow> SessionStore::find(const std::string& id_hash) {
  PersonSessionRow found;
  RETURN_IF_ERROR(database_.read("find a session", [&](Sql& sql) {
    const auto row = sql.first(std::string(kSession) + " where id_hash = ?", {id_hash}, 6);
    if (!row) return base::not_found("No such session.");
    found = to_session(*row);
    return absl::OkStatus();
  }));
  return found;
}

absl::Status SessionStore::touch(const std::string& id_hash, std::int64_t last_seen_s) {
  return database_.transaction("note the use of a session", [&](Sql& sql) {
    sql.run("update person_session set last_seen_s = ? where id_hash = ?", {last_seen_s, id_hash});
    return absl::OkStatus();
  });
}

absl::Status SessionStore::erase(const std::string& id_hash) {
  return database_.transaction("end a session", [&](Sql& sql) {
    sql.run("delete from person_session where id_hash = ?", {id_hash});
    return absl::OkStatus();
  });
}

absl::Status SessionStore::erase_of(const std::string& person) {
  return database_.transaction("end a user's sessions", [&](Sql& sql) {
    sql.run("delete from person_session where person = ?", {person});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<PersonSessionRow>> SessionStore::of(const std::string& person) {
  std::vector<PersonSessionRow> rows;
  RETURN_IF_ERROR(database_.read("list a user's sessions", [&](Sql& sql) {
    rows.clear();
    sql.each(std::string(kSession) + " where person = ? order by last_seen_s, id_hash", {person}, 6,
             [&](const SqlRow& row) { rows.push_back(to_session(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status SessionStore::erase_ended(std::int64_t expired_s, std::int64_t last_seen_s) {
  return database_.transaction("drop sessions that ended", [&](Sql& sql) {
    sql.run("delete from person_session where expires_s <= ? or last_seen_s <= ?",
            {expired_s, last_seen_s});
    return absl::OkStatus();
  });
}

absl::StatusOr<std::int64_t> SessionStore::count() {
  std::int64_t count = 0;
  RETURN_IF_ERROR(database_.read("count sessions", [&](Sql& sql) {
    count = sql.first("select count(*) from person_session", {}, 1)->integer(0);
    return absl::OkStatus();
  }));
  return count;
}

}  // namespace plinth::store
