#include "store/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "store/integrity.h"
#include "store/migrations.h"
#include "store/program.h"
#include "store/statements.h"

namespace plinth::store {

namespace {

// Runs what SOCI may throw in.
template <typename Body>
absl::Status guarded(std::string_view operation, Body body) {
  try {
    return body();
  } catch (const std::exception& error) {
    return base::unavailable(fmt::format("[store] {}: {}", operation, error.what()));
  }
}

absl::Status make_durable(const std::string& file) {
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return base::errno_status(errno, file);
  const auto folder = std::filesystem::path(file).parent_path().string();
  return base::sync_folder(folder.empty() ? "." : folder);
}

absl::Status refuse_present(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return absl::OkStatus();
  return base::failed_precondition(path + " is there already: nothing is overwritten");
}

// A session of SQLite that changes nothing, or of PostgreSQL.
std::unique_ptr<soci::session> reading(const std::string& where) {
  if (names_postgresql(where)) return std::make_unique<soci::session>(soci::postgresql, where);
  return std::make_unique<soci::session>(soci::sqlite3,
                                         "dbname=\"" + where + "\" timeout=10 readonly=true");
}

// What a program of PostgreSQL is told: the address, and its password where others cannot read it.
struct Address {
  std::string conninfo;
  std::vector<std::pair<std::string, std::string>> variables;
};

absl::StatusOr<Address> address_of(const std::string& where) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(where.c_str(), &error), &PQconninfoFree);
  if (options == nullptr) {
    // libpq's words may quote the password.
    PQfreemem(error);
    return base::invalid_argument("[store] the address is none of PostgreSQL");
  }
  Address address;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    if (std::string_view(option->keyword) == "password") {
      address.variables.emplace_back("PGPASSWORD", option->val);
      continue;
    }
    std::string value;
    for (const char* c = option->val; *c != '\0'; ++c) {
      if (*c == '\'' || *c == '\\') value += '\\';
      value += *c;
    }
    address.conninfo += fmt::format("{}='{}' ", option->keyword, value);
  }
  return address;
}

absl::Status copy_sqlite(const std::string& where, const std::string& file) {
  RETURN_IF_ERROR(guarded("copy " + where, [&] {
    const auto sql = reading(where);
    *sql << "vacuum into :file", soci::use(file);
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(check_database(file));
  return make_durable(file);
}

// Nothing in a database of a schema that had none.
std::vector<CopiedContent> content_of(Sql& sql) {
  std::vector<CopiedContent> content;
  const auto table = sql.dialect() == Dialect::sqlite
                         ? sql.first("select name from sqlite_master where name = 'content'", {}, 1)
                         : sql.first("select cast(to_regclass('content') as text)", {}, 1);
  if (!table || !table->maybe_text(0)) return content;
  sql.each("select id, sha256 from content order by id", {}, 2, [&](const SqlRow& row) {
    content.push_back({row.text(0), row.text(1)});
  });
  return content;
}

// Data keys are backed up apart: a copy of the data opens nothing that is sealed.
absl::Status remove_keys(const std::string& file) {
  RETURN_IF_ERROR(guarded("remove keys from " + file, [&] {
    soci::session sql(soci::sqlite3, "dbname=\"" + file + "\"");
    int tables = 0;
    sql << "select count(*) from sqlite_master where type = 'table' and name = 'data_key'",
        soci::into(tables);
    if (tables == 0) return absl::OkStatus();  // of an older schema
    sql << "pragma secure_delete=1";
    sql << "delete from data_key";
    sql << "vacuum";
    return absl::OkStatus();
  }));
  return make_durable(file);
}

// What is read here and what pg_dump writes are one moment: it takes over the snapshot of a
// transaction that stays open meanwhile.
absl::Status copy_postgresql(const std::string& where, const std::string& file, DatabaseCopy& copy,
                             std::vector<CopiedContent>& content) {
  ASSIGN_OR_RETURN(const auto address, address_of(where));
  RETURN_IF_ERROR(guarded("copy the database", [&]() -> absl::Status {
    const auto session = reading(where);
    *session << "begin isolation level repeatable read read only";
    std::string snapshot;
    *session << "select pg_export_snapshot()", soci::into(snapshot);
    {
      Statements statements(*session);
      Sql sql(statements, Dialect::postgresql);
      copy.schema_version = schema_version(sql);
      content = content_of(sql);
    }
    auto dumped = run_program({"pg_dump", "--format=custom", "--no-owner", "--no-privileges",
                               "--exclude-table-data=data_key", "--snapshot=" + snapshot,
                               "--file=" + file, "--dbname=" + address.conninfo},
                              address.variables);
    if (dumped.ok()) *session << "commit";
    return dumped;
  }));
  return make_durable(file);
}

absl::Status restore_sqlite(const std::string& file, const std::string& where) {
  RETURN_IF_ERROR(refuse_present(where));
  RETURN_IF_ERROR(check_database(file));
  // Beside its place first: what stands there is whole at any time.
  const auto arriving = where + ".restored";
  std::error_code error;
  std::filesystem::remove(arriving, error);
  RETURN_IF_ERROR(copy_sqlite(file, arriving));
  ::chmod(arriving.c_str(), 0600);
  if (::link(arriving.c_str(), where.c_str()) != 0) return base::errno_status(errno, where);
  ::unlink(arriving.c_str());
  return make_durable(where);
}

absl::Status restore_postgresql(const std::string& file, const std::string& where) {
  RETURN_IF_ERROR(guarded("look into the database", [&] {
    const auto sql = reading(where);
    long long tables = 0;
    *sql << "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public'",
        soci::into(tables);
    return tables == 0
               ? absl::OkStatus()
               : base::failed_precondition("the database is not empty: nothing is overwritten");
  }));
  ASSIGN_OR_RETURN(const auto address, address_of(where));
  return run_program({"pg_restore", "--exit-on-error", "--single-transaction", "--no-owner",
                      "--no-privileges", "--dbname=" + address.conninfo, file},
                     address.variables);
}

}  // namespace

absl::StatusOr<DatabaseCopy> copy_database(const std::string& where, const std::string& file,
                                           std::vector<CopiedContent>* content) {
  RETURN_IF_ERROR(refuse_present(file));
  DatabaseCopy copy;
  std::vector<CopiedContent> found;
  copy.dialect = names_postgresql(where) ? Dialect::postgresql : Dialect::sqlite;
  if (copy.dialect == Dialect::postgresql) {
    RETURN_IF_ERROR(copy_postgresql(where, file, copy, found));
  } else {
    struct stat info {};
    if (::stat(where.c_str(), &info) != 0) return base::errno_status(errno, where);
    RETURN_IF_ERROR(copy_sqlite(where, file));
    RETURN_IF_ERROR(remove_keys(file));
    // Of the copy: the source may be migrated meanwhile.
    RETURN_IF_ERROR(guarded("read the copy", [&] {
      const auto session = reading(file);
      Statements statements(*session);
      Sql sql(statements, copy.dialect);
      copy.schema_version = schema_version(sql);
      found = content_of(sql);
      return absl::OkStatus();
    }));
  }
  if (copy.schema_version == 0) return base::not_found("the database holds no schema of Plinth");
  if (content != nullptr) *content = std::move(found);
  return copy;
}

absl::Status restore_database(const DatabaseCopy& copy, const std::string& file,
                              const std::string& where) {
  if (copy.schema_version > newest_schema_version()) {
    return base::failed_precondition(
        fmt::format("the backup's schema version {} is newer than this program's {}; upgrade"
                    " Plinth",
                    copy.schema_version, newest_schema_version()));
  }
  const bool postgresql = names_postgresql(where);
  if (postgresql != (copy.dialect == Dialect::postgresql)) {
    return base::failed_precondition(fmt::format("the backup is of {}: it is no copy for {}",
                                                 postgresql ? "SQLite" : "PostgreSQL",
                                                 postgresql ? "PostgreSQL" : "SQLite"));
  }
  return postgresql ? restore_postgresql(file, where) : restore_sqlite(file, where);
}

}  // namespace plinth::store
