#include "apps/home_database.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "apps/home.h"
#include "apps/settings_flags.h"
#include "base/log.h"
#include "store/integrity.h"
#include "store/limits.h"

namespace plinth {

namespace {

absl::Status check_file(const std::string& where) {
  struct stat info {};
  if (store::names_postgresql(where) || ::stat(where.c_str(), &info) != 0)
    return absl::OkStatus();  // PostgreSQL checks its own pages; what is missing is made
  if (static_cast<std::uint64_t>(info.st_size) > store::kStartCheckBytesMax) {
    LOG(info, "{} is large and not read as a whole; `plinth admin verify` does", where);
    return absl::OkStatus();
  }
  const auto status = store::check_database(where);
  if (!absl::IsDataLoss(status)) return status;
  return base::data_loss(fmt::format(
      "the database is damaged: {}. Move it and what is named like it aside, then `plinth admin"
      " restore BACKUP` makes it from a backup",
      base::message(status)));
}

}  // namespace

std::string database_of(const std::string& home, const base::Settings& settings) {
  const auto& where = settings.text("store.database");
  return where.empty() ? home + "/plinth.db" : where;
}

std::string content_folder_of(const std::string& home, const base::Settings& settings) {
  const auto& folder = settings.text("content.folder");
  return folder.empty() ? home + "/content" : folder;
}

std::string copies_folder_of(const std::string& home, const base::Settings& settings) {
  const auto& folder = settings.text("audit.copy_to");
  return folder.empty() ? home + "/audit-checkpoints" : folder;
}

absl::StatusOr<std::unique_ptr<store::Database>> open_for_service(const std::string& where) {
  RETURN_IF_ERROR(check_file(where));
  ASSIGN_OR_RETURN(auto database, store::Database::open(where));
  const auto status = store::check_newest_sums(*database);
  if (absl::IsDataLoss(status)) {
    return base::data_loss(fmt::format(
        "{}. `plinth admin verify` looks at all of them, `plinth admin verify --mend` makes them"
        " from the rows again",
        base::message(status)));
  }
  RETURN_IF_ERROR(status);
  return database;
}

absl::StatusOr<HomeDatabase> open_home_database(const std::string& home_flag) {
  HomeDatabase found;
  ASSIGN_OR_RETURN(found.home, find_home(home_flag));
  ASSIGN_OR_RETURN(const auto settings, load_settings(found.home, nullptr));
  found.where = database_of(found.home, settings);
  auto database = store::Database::open_present(found.where);
  if (absl::IsNotFound(database.status())) {
    return base::not_found(fmt::format("{} has no database yet: `plinth up` makes it", found.home));
  }
  RETURN_IF_ERROR(database.status());
  found.database = *std::move(database);
  return found;
}

}  // namespace plinth
