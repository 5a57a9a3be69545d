// The database of a home, for the service and for commands that work beside it or without it.
#pragma once

#include <memory>
#include <string>

#include "base/settings.h"
#include "base/status.h"
#include "store/database.h"

namespace plinth {

// As store::Database::open() takes it: the setting store.database, else plinth.db in the home.
std::string database_of(const std::string& home, const base::Settings& settings);

// The setting content.folder, else content in the home.
std::string content_folder_of(const std::string& home, const base::Settings& settings);
// Of the copies of audit checkpoints and tombstones: audit.copy_to, else in the home.
std::string copies_folder_of(const std::string& home, const base::Settings& settings);

// Migrated, after a look at its pages and its newest sums. DataLoss says what is damaged and what
// to do.
absl::StatusOr<std::unique_ptr<store::Database>> open_for_service(const std::string& where);

struct HomeDatabase {
  std::string home, where;
  std::unique_ptr<store::Database> database;
};
// Where a service may run: makes and migrates nothing.
absl::StatusOr<HomeDatabase> open_home_database(const std::string& home_flag);

}  // namespace plinth
