// One database, SQLite or PostgreSQL: opened, migrated, and called with every exception turned into
// a Status.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/sql.h"

namespace plinth::store {

// Thread-safe. SQLite has one connection that writes and some that read beside it (WAL);
// PostgreSQL has a pool. A connection that broke is opened again by the next call.
class Database {
 public:
  // `where`: the path of a SQLite file, which is created if needed (WAL, synchronous=FULL), or
  // "postgresql://USER@HOST:PORT/NAME" in any form that libpq reads. Applies missing migrations;
  // where several processes open one database, one of them does.
  // FailedPrecondition where the database was written by a newer Plinth.
  static absl::StatusOr<std::unique_ptr<Database>> open(const std::string& where);
  // The same for whoever reads beside a service: makes and migrates nothing. NotFound where there
  // is no database, FailedPrecondition where its schema is not this program's.
  static absl::StatusOr<std::unique_ptr<Database>> open_present(const std::string& where);
  ~Database();

  Dialect dialect() const;

  // Runs `body` in one transaction that is durable when this returns OK. Anything else, thrown
  // errors too, leaves nothing: AlreadyExists for a broken uniqueness constraint, Unavailable for
  // what the database could not do. Where transactions of PostgreSQL stand in each other's way the
  // body runs again: it has no effects of its own.
  // Inside a body, on its thread, transaction() and read() are parts of the transaction: durable
  // with the whole, and undone alone where they fail. Whoever holds a mutex that a body takes must
  // not wait for a transaction.
  absl::Status transaction(std::string_view operation,
                           const std::function<absl::Status(Sql&)>& body);
  // The same for a body that only reads, beside whoever writes.
  absl::Status read(std::string_view operation, const std::function<absl::Status(Sql&)>& body);
  // After rows of `table` were deleted whose bytes should be gone, too: SQLite's log goes into the
  // file and is cut to nothing, PostgreSQL writes the table anew. Not inside a transaction.
  // Unavailable where others use the database for too long.
  absl::Status compact(const std::string& table);

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  static std::unique_ptr<Database> connect(const std::string& where);
  std::unique_ptr<Impl> impl_;
};

// Whether `where` names a PostgreSQL; anything else is the path of a SQLite file.
bool names_postgresql(std::string_view where);

}  // namespace plinth::store
