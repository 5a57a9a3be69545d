#include "store/database.h"

#include <fmt/format.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <mutex>

namespace plinth::store {

namespace {

// Numbered from 1, applied once each, never changed after a release.
constexpr std::array kMigrations = {
    "create table api_key ("
    " id text primary key, project text not null, name text not null, role text not null,"
    " secret_hmac text not null, created_unix_s integer not null, revoked_unix_s integer)",
};

absl::Status guarded(std::string_view operation, const std::function<absl::Status()>& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    const std::string text = fmt::format("[store] {}: {}", operation, what);
    if (what.find("UNIQUE") != std::string_view::npos) {
      return absl::AlreadyExistsError(base::to_absl(text));
    }
    return base::unavailable(text);
  }
}

}  // namespace

struct Database::Impl {
  std::mutex mutex;
  soci::session session;  // protected by mutex
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

absl::StatusOr<std::unique_ptr<Database>> Database::open(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  auto& sql = impl->session;
  RETURN_IF_ERROR(guarded("open " + path, [&]() -> absl::Status {
    sql.open(soci::sqlite3, "dbname=\"" + path + "\" timeout=10");
    ::chmod(path.c_str(), 0600);
    std::string mode;
    sql << "pragma journal_mode=WAL", soci::into(mode);
    sql << "pragma synchronous=FULL";
    int version = 0;
    sql << "pragma user_version", soci::into(version);
    const int newest = static_cast<int>(kMigrations.size());
    if (version > newest) {
      return base::failed_precondition(
          fmt::format("{}: schema version {} is newer than this program's {}; upgrade Plinth", path,
                      version, newest));
    }
    for (; version < newest; ++version) {
      soci::transaction step(sql);
      sql << kMigrations[static_cast<std::size_t>(version)];
      sql << fmt::format("pragma user_version={}", version + 1);
      step.commit();
    }
    return absl::OkStatus();
  }));
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

absl::Status Database::transaction(std::string_view operation,
                                   const std::function<absl::Status(soci::session&)>& body) {
  std::lock_guard lock(impl_->mutex);
  return guarded(operation, [&]() -> absl::Status {
    soci::transaction step(impl_->session);
    RETURN_IF_ERROR(body(impl_->session));
    step.commit();
    return absl::OkStatus();
  });
}

absl::Status check_database(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return base::errno_status(errno, path);
  std::string findings;
  RETURN_IF_ERROR(guarded("check " + path, [&]() -> absl::Status {
    soci::session sql(soci::sqlite3, "dbname=\"" + path + "\" timeout=10 readonly=true");
    const soci::rowset<std::string> rows = (sql.prepare << "pragma quick_check(10)");
    for (const auto& row : rows) findings += (findings.empty() ? "" : "; ") + row;
    return absl::OkStatus();
  }));
  if (findings == "ok") return absl::OkStatus();
  return base::data_loss(fmt::format("{}: {}", path, findings));
}

}  // namespace plinth::store
