#include "store/scratch_database.h"

#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

namespace plinth::store {

namespace {

constexpr char kVariable[] = "PLINTH_TEST_POSTGRESQL";

absl::Status run(const std::string& statement) {
  try {
    soci::session sql(soci::postgresql, std::getenv(kVariable));
    sql << statement;
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return base::unavailable(error.what());
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ScratchDatabase>> ScratchDatabase::make(Dialect dialect) {
  if (dialect == Dialect::sqlite) {
    std::string folder = std::filesystem::temp_directory_path() / "plinth_database_XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return base::errno_status(errno, folder);
    const std::string file = folder + "/plinth.db";
    std::unique_ptr<ScratchDatabase> made(new ScratchDatabase(dialect, file, folder));
    return made;
  }
  static std::atomic<int> counter{0};
  const auto name = fmt::format("plinth_test_{}_{}", ::getpid(), counter++);
  RETURN_IF_ERROR(run("create database " + name));
  std::string where = std::getenv(kVariable);
  const auto path = where.find("postgres?");
  if (path == std::string::npos) return base::failed_precondition(where + ": names no database");
  where.replace(path, std::string("postgres").size(), name);
  std::unique_ptr<ScratchDatabase> made(new ScratchDatabase(dialect, where, name));
  return made;
}

ScratchDatabase::~ScratchDatabase() {
  if (dialect_ == Dialect::sqlite) {
    std::error_code ignored;
    std::filesystem::remove_all(name_, ignored);
  } else {
    // Whoever still has a connection is a test that failed.
    (void)run("drop database if exists " + name_ + " with (force)");
  }
}

std::vector<Dialect> scratch_dialects() {
  if (std::getenv(kVariable) != nullptr) return {Dialect::sqlite, Dialect::postgresql};
  fmt::print(stderr, "SKIPPED on PostgreSQL: {} names none\n", kVariable);
  return {Dialect::sqlite};
}

std::string dialect_name(Dialect dialect) {
  return dialect == Dialect::sqlite ? "sqlite" : "postgresql";
}

}  // namespace plinth::store
