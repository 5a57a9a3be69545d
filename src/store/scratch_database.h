// A database for one test, empty and gone afterwards: a SQLite file, or one of its own on the
// PostgreSQL that PLINTH_TEST_POSTGRESQL names (tools/setup/postgresql starts one).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "store/database.h"

namespace plinth::store {

class ScratchDatabase {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchDatabase>> make(Dialect dialect);
  ~ScratchDatabase();
  // What Database::open() takes.
  const std::string& where() const { return where_; }

 private:
  ScratchDatabase(Dialect dialect, std::string where, std::string name)
      : dialect_(dialect), where_(std::move(where)), name_(std::move(name)) {}
  const Dialect dialect_;
  const std::string where_, name_;
};

// What this machine has. Says so on stderr where PostgreSQL is left out.
std::vector<Dialect> scratch_dialects();
// "sqlite", for names of tests.
std::string dialect_name(Dialect dialect);

}  // namespace plinth::store
