#include "store/database.h"

#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/check.h"
#include "store/connections.h"
#include "store/limits.h"
#include "store/migrations.h"

namespace plinth::store {

namespace {

// SQLSTATE 40001 and 40P01: another transaction won; 55P03: a lock that was not waited for.
bool is_conflict(const std::exception& error) {
  const auto* postgresql = dynamic_cast<const soci::postgresql_soci_error*>(&error);
  if (postgresql == nullptr) return false;
  const std::string state = postgresql->sqlstate();
  return state == "40001" || state == "40P01" || state == "55P03";
}

bool is_duplicate(const std::exception& error) {
  const std::string_view what = error.what();
  return what.find("UNIQUE constraint") != std::string_view::npos ||
         what.find("violates unique constraint") != std::string_view::npos;
}

absl::Status to_status(std::string_view operation, const std::exception& error) {
  const std::string text = fmt::format("[store] {}: {}", operation, error.what());
  if (is_duplicate(error)) return absl::AlreadyExistsError(base::to_absl(text));
  if (dynamic_cast<const std::invalid_argument*>(&error) != nullptr)
    return base::invalid_argument(text);
  if (is_conflict(error)) return absl::AbortedError(base::to_absl(text));
  return base::unavailable(text);
}

absl::Status guarded(std::string_view operation, const std::function<absl::Status()>& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    return to_status(operation, error);
  }
}

// Of several that open a new database at once one makes the change, and SQLite tells the others at
// once that it is locked, whatever their timeout.
void use_write_ahead_log(soci::session& sql) {
  constexpr int kAttempts = 500;
  constexpr auto kPause = std::chrono::milliseconds(10);
  for (int attempt = 1;; ++attempt) {
    try {
      std::string mode;
      sql << "pragma journal_mode=WAL", soci::into(mode);
      return;
    } catch (const soci::soci_error&) {
      if (attempt == kAttempts) throw;
    }
    std::this_thread::sleep_for(kPause);
  }
}

void open_sqlite(soci::session& sql, const std::string& path, bool writes) {
  sql.open(soci::sqlite3, "dbname=\"" + path + "\" timeout=10");
  if (!writes) {
    sql << "pragma query_only=1";
    return;
  }
  ::chmod(path.c_str(), 0600);
  use_write_ahead_log(sql);
  sql << "pragma synchronous=FULL";
}

void open_postgresql(soci::session& sql, const std::string& where) {
  sql.open(soci::postgresql, where);
  // Notices would go to stderr.
  sql << "set client_min_messages = warning";
  sql << "set timezone = 'UTC'";
}

// Tells a broken connection from a statement that the database refused.
bool is_alive(soci::session& sql, Dialect dialect) {
  if (dialect == Dialect::sqlite) return true;
  try {
    int one = 0;
    sql << "select 1", soci::into(one);
    return one == 1;
  } catch (const std::exception&) {
    return false;
  }
}

// The transaction that this thread is in the midst of: what it calls belongs to it.
struct Current {
  const void* database = nullptr;
  Connection* connection = nullptr;
  bool conflict = false;  // a part of it was in another's way: all of it has to run again
};
thread_local Current* current = nullptr;

class CurrentScope {
 public:
  explicit CurrentScope(Current& here) : outer_(std::exchange(current, &here)) {}
  CurrentScope(const CurrentScope&) = delete;
  CurrentScope& operator=(const CurrentScope&) = delete;
  ~CurrentScope() { current = outer_; }

 private:
  Current* const outer_;  // of another database
};

// Runs `body` as a part of the transaction, undone alone where it fails.
absl::Status run_part(Current& whole, Dialect dialect, std::string_view operation,
                      const std::function<absl::Status(Sql&)>& body) {
  auto& session = whole.connection->session;
  return guarded(operation, [&]() -> absl::Status {
    session << "savepoint part";
    absl::Status status;
    try {
      Sql sql(whole.connection->statements, dialect);
      status = body(sql);
    } catch (const std::exception& error) {
      status = to_status(operation, error);
    }
    if (absl::IsAborted(status)) whole.conflict = true;
    if (!status.ok()) session << "rollback to savepoint part";
    session << "release savepoint part";
    return status;
  });
}

}  // namespace

struct Database::Impl {
  Impl(Dialect dialect_, std::size_t writers_, std::size_t readers_,
       const std::function<void(soci::session&, bool writes)>& open)
      : dialect(dialect_),
        writers(writers_, [open](soci::session& sql) { open(sql, true); }),
        readers(readers_, [open](soci::session& sql) { open(sql, false); }) {}

  absl::Status run(Connections& connections, const char* begin, std::string_view operation,
                   const std::function<absl::Status(Sql&)>& body) {
    return guarded(operation, [&]() -> absl::Status {
      ASSIGN_OR_RETURN(auto lease, connections.take());
      Connection& connection = *lease;
      auto& session = connection.session;
      Current here{this, &connection};
      const CurrentScope scope(here);
      try {
        connection.statements.drop_failed();
        session << begin;
        Sql sql(connection.statements, dialect);
        auto status = body(sql);
        if (here.conflict) status = absl::AbortedError(base::to_absl(operation));
        session << (status.ok() ? "commit" : "rollback");
        return status;
      } catch (const std::exception& error) {
        auto status = to_status(operation, error);
        try {
          session << "rollback";
        } catch (const std::exception&) {
          // Nothing was begun, or nobody is there who could roll it back.
        }
        // A statement whose plan no longer fits would fail every time.
        connection.statements.clear();
        if (!is_alive(session, dialect)) lease.discard();
        return status;
      }
    });
  }

  const Dialect dialect;
  Connections writers, readers;
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

Dialect Database::dialect() const { return impl_->dialect; }

bool names_postgresql(std::string_view where) {
  return where.starts_with("postgresql://") || where.starts_with("postgres://");
}

std::unique_ptr<Database> Database::connect(const std::string& where) {
  std::unique_ptr<Impl> impl;
  if (names_postgresql(where)) {
    impl =
        std::make_unique<Impl>(Dialect::postgresql, kPoolConnections, std::size_t{1},
                               [where](soci::session& sql, bool) { open_postgresql(sql, where); });
  } else {
    impl = std::make_unique<Impl>(
        Dialect::sqlite, std::size_t{1}, kReaders,
        [where](soci::session& sql, bool writes) { open_sqlite(sql, where, writes); });
  }
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Database>> Database::open(const std::string& where) {
  auto database = connect(where);
  const auto status = database->transaction("open", migrate);
  if (!status.ok()) {
    // The address may hold a password.
    return names_postgresql(where) ? status : base::annotate(status, where);
  }
  return database;
}

absl::StatusOr<std::unique_ptr<Database>> Database::open_present(const std::string& where) {
  struct stat info {};
  if (!names_postgresql(where) && ::stat(where.c_str(), &info) != 0)
    return base::errno_status(errno, where);
  auto database = connect(where);
  std::int64_t version = 0;
  RETURN_IF_ERROR(database->read("open", [&](Sql& sql) {
    version = schema_version(sql);
    return absl::OkStatus();
  }));
  if (version == 0) return base::not_found("the database holds no schema of Plinth");
  if (version != newest_schema_version()) {
    return base::failed_precondition(
        fmt::format("schema version {} is not this program's {}: start `plinth up` of {} once",
                    version, newest_schema_version(),
                    version > newest_schema_version() ? "a newer Plinth" : "this version"));
  }
  return database;
}

absl::Status Database::transaction(std::string_view operation,
                                   const std::function<absl::Status(Sql&)>& body) {
  if (current != nullptr && current->database == impl_.get())
    return run_part(*current, impl_->dialect, operation, body);
  // SQLite: a transaction that reads first and then finds another writer could only fail.
  const char* begin = impl_->dialect == Dialect::sqlite ? "begin immediate" : "begin";
  absl::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    status = impl_->run(impl_->writers, begin, operation, body);
    if (!absl::IsAborted(status)) return status;
  }
  return base::unavailable(base::message(status));
}

absl::Status Database::compact(const std::string& table) {
  CHECK(current == nullptr || current->database != impl_.get());
  return guarded("compact " + table, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(auto lease, impl_->writers.take());
    if (impl_->dialect == Dialect::postgresql) {
      (*lease).session << "vacuum (full) " + table;
      return absl::OkStatus();
    }
    int busy = 0;
    (*lease).session << "pragma wal_checkpoint(truncate)", soci::into(busy);
    return busy == 0 ? absl::OkStatus() : base::unavailable("[store] the database is being read");
  });
}

absl::Status Database::read(std::string_view operation,
                            const std::function<absl::Status(Sql&)>& body) {
  // Beside its own transaction a thread would not see what that has written.
  if (current != nullptr && current->database == impl_.get())
    return run_part(*current, impl_->dialect, operation, body);
  const bool sqlite = impl_->dialect == Dialect::sqlite;
  return impl_->run(sqlite ? impl_->readers : impl_->writers, sqlite ? "begin" : "begin read only",
                    operation, body);
}

}  // namespace plinth::store
