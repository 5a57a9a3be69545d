#include "store/key_store.h"

#include <soci/soci.h>

namespace plinth::store {

namespace {

KeyRow to_row(const soci::row& from) {
  KeyRow row;
  row.id = from.get<std::string>(0);
  row.project = from.get<std::string>(1);
  row.name = from.get<std::string>(2);
  row.role = from.get<std::string>(3);
  row.secret_hmac = from.get<std::string>(4);
  row.created_unix_s = std::stoll(from.get<std::string>(5));
  if (from.get_indicator(6) == soci::i_ok) {
    row.revoked_unix_s = std::stoll(from.get<std::string>(6));
  }
  return row;
}

// Times as text: SOCI maps SQLite's integer column to 32 bits in dynamic rows.
constexpr char kColumns[] =
    "select id, project, name, role, secret_hmac, cast(created_unix_s as text),"
    " cast(revoked_unix_s as text) from api_key";

}  // namespace

absl::Status KeyStore::insert(const KeyRow& row) {
  return database_.transaction("insert key", [&](soci::session& sql) {
    const long long created = row.created_unix_s;
    sql << "insert into api_key (id, project, name, role, secret_hmac, created_unix_s)"
           " values (:id, :project, :name, :role, :hmac, :created)",
        soci::use(row.id), soci::use(row.project), soci::use(row.name), soci::use(row.role),
        soci::use(row.secret_hmac), soci::use(created);
    return absl::OkStatus();
  });
}

absl::StatusOr<KeyRow> KeyStore::find(const std::string& id) {
  KeyRow row;
  RETURN_IF_ERROR(database_.transaction("find key", [&](soci::session& sql) -> absl::Status {
    soci::rowset<soci::row> rows =
        (sql.prepare << std::string(kColumns) + " where id = :id", soci::use(id));
    for (const auto& found : rows) {
      row = to_row(found);
      return absl::OkStatus();
    }
    return base::not_found("no key " + id);
  }));
  return row;
}

absl::StatusOr<std::vector<KeyRow>> KeyStore::list() {
  std::vector<KeyRow> all;
  RETURN_IF_ERROR(database_.transaction("list keys", [&](soci::session& sql) {
    soci::rowset<soci::row> rows = (sql.prepare << std::string(kColumns) + " order by rowid");
    for (const auto& found : rows) all.push_back(to_row(found));
    return absl::OkStatus();
  }));
  return all;
}

absl::Status KeyStore::revoke(const std::string& id, std::int64_t unix_s) {
  RETURN_IF_ERROR(find(id).status());
  return database_.transaction("revoke key", [&](soci::session& sql) {
    const long long when = unix_s;
    sql << "update api_key set revoked_unix_s = :when where id = :id and revoked_unix_s is null",
        soci::use(when), soci::use(id);
    return absl::OkStatus();
  });
}

}  // namespace plinth::store
