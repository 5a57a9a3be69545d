#include "store/certificate_store.h"

#include <fmt/format.h>

#include "store/paging.h"

namespace plinth::store {

namespace {

constexpr char kColumns[] =
    "id, organization, name, content, fingerprint, valid_s, expires_s, created_s";
constexpr std::size_t kCount = 8;

CertificateRow to_certificate(const SqlRow& row) {
  return {row.text(0), row.text(1),    row.maybe_text(2), row.text(3),
          row.text(4), row.integer(5), row.integer(6),    row.integer(7)};
}

absl::Status no_certificate(const std::string& id) {
  return base::not_found("No such certificate: " + id);
}

bool exists(Sql& sql, const std::string& organization, const std::string& id) {
  return sql
      .first("select 1 from client_ca where organization = ? and id = ?", {organization, id}, 1)
      .has_value();
}

}  // namespace

absl::Status CertificateStore::insert(const CertificateRow& row, std::int64_t most) {
  return database_.transaction("keep a certificate", [&](Sql& sql) {
    const auto seq = next_seq(sql, "client_ca");  // first: what is counted stays true
    if (sql.first("select 1 from client_ca where organization = ? and fingerprint = ?",
                  {row.organization, row.fingerprint}, 1)) {
      return absl::AlreadyExistsError("This certificate is there already.");
    }
    const auto count =
        sql.first("select count(*) from client_ca where organization = ?", {row.organization}, 1);
    if (count->integer(0) >= most)
      return base::resource_exhausted(fmt::format("There are {} certificates already.", most));
    sql.run(fmt::format("insert into client_ca (seq, {}) values {}", kColumns,
                        row_marks(1, kCount + 1)),
            {seq, row.id, row.organization, or_null(row.name), row.content, row.fingerprint,
             row.valid_s, row.expires_s, row.created_s});
    return absl::OkStatus();
  });
}

absl::StatusOr<CertificateRow> CertificateStore::find(const std::string& organization,
                                                      const std::string& id) {
  CertificateRow found;
  RETURN_IF_ERROR(database_.read("find a certificate", [&](Sql& sql) {
    const auto row = sql.first(
        fmt::format("select {} from client_ca where organization = ? and id = ?", kColumns),
        {organization, id}, kCount);
    if (!row) return no_certificate(id);
    found = to_certificate(*row);
    return absl::OkStatus();
  }));
  return found;
}

absl::StatusOr<std::vector<CertificateRow>> CertificateStore::list(
    const std::string& organization) {
  std::vector<CertificateRow> rows;
  RETURN_IF_ERROR(database_.read("list certificates", [&](Sql& sql) {
    rows.clear();
    sql.each(fmt::format("select {} from client_ca where organization = ? order by seq", kColumns),
             {organization}, kCount,
             [&](const SqlRow& row) { rows.push_back(to_certificate(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status CertificateStore::rename(const std::string& organization, const std::string& id,
                                      const std::optional<std::string>& name) {
  return database_.transaction("rename a certificate", [&](Sql& sql) {
    const bool found = sql.run("update client_ca set name = ? where organization = ? and id = ?",
                               {or_null(name), organization, id}) > 0;
    return found ? absl::OkStatus() : no_certificate(id);
  });
}

absl::Status CertificateStore::remove(const std::string& organization, const std::string& id) {
  return database_.transaction("remove a certificate", [&](Sql& sql) {
    (void)next_seq(sql, "client_ca");  // nobody activates it meanwhile
    if (!exists(sql, organization, id)) return no_certificate(id);
    if (sql.first("select 1 from client_ca_use where certificate = ? limit 1", {id}, 1)) {
      return base::failed_precondition(
          "The certificate is active: deactivate it in the organization and every project first.");
    }
    sql.run("delete from client_ca where organization = ? and id = ?", {organization, id});
    return absl::OkStatus();
  });
}

absl::Status CertificateStore::set_active(const std::string& organization,
                                          const std::string& project,
                                          const std::vector<std::string>& ids, bool active) {
  return database_.transaction("activate certificates", [&](Sql& sql) {
    (void)next_seq(sql, "client_ca");  // nobody removes one meanwhile
    for (const auto& id : ids) {
      if (!exists(sql, organization, id)) return no_certificate(id);
      if (active) {
        sql.run(
            "insert into client_ca_use (certificate, organization, project) values (?,?,?)"
            " on conflict do nothing",
            {id, organization, project});
      } else {
        sql.run("delete from client_ca_use where certificate = ? and project = ?", {id, project});
      }
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<CertificateRow>> CertificateStore::active(
    const std::string& organization, const std::string& project) {
  std::vector<CertificateRow> rows;
  RETURN_IF_ERROR(database_.read("read active certificates", [&](Sql& sql) {
    rows.clear();
    sql.each(fmt::format("select {} from client_ca where organization = ? and id in (select"
                         " certificate from client_ca_use where organization = ? and project = ?)"
                         " order by seq",
                         kColumns),
             {organization, organization, project}, kCount,
             [&](const SqlRow& row) { rows.push_back(to_certificate(row)); });
    return absl::OkStatus();
  }));
  return rows;
}

}  // namespace plinth::store
