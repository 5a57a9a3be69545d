// Home, models and service of `plinth doctor`.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "apps/doctor_checks.h"
#include "apps/home_database.h"
#include "apps/service_connection.h"
#include "apps/service_file.h"
#include "apps/settings_flags.h"
#include "apps/sign_in_settings.h"
#include "apps/terminal.h"
#include "apps/tls_files.h"
#include "base/file.h"
#include "cluster/model_library.h"
#include "net/http_client.h"
#include "store/integrity.h"

namespace plinth {

namespace {

namespace fs = std::filesystem;

Finding folder(const std::string& home) {
  struct stat info {};
  if (::stat(home.c_str(), &info) != 0) {
    return {"home", "folder", Verdict::ok, home + " is not made yet; `plinth up` makes it", ""};
  }
  if (::access(home.c_str(), W_OK | X_OK) != 0) {
    return {"home", "folder", Verdict::fail, home + " is not writable by this user",
            fmt::format("sudo chown -R {} {}", ::getuid(), home)};
  }
  return {"home", "folder", Verdict::ok, home, ""};
}

Finding settings(const std::string& home) {
  const auto loaded = load_settings(home, nullptr);
  if (loaded.ok())
    return {"home", "settings", Verdict::ok, "plinth.toml and PLINTH_* are valid", ""};
  return {"home", "settings", Verdict::fail, std::string(base::message(loaded.status())),
          "correct the line; `plinth settings --markdown` describes every setting"};
}

// A certificate that ends soon, and settings of sign-in that would stop the start.
constexpr std::int64_t kDayS = 86'400, kRenewalDays = 14;
Finding certificate(const base::Settings& settings) {
  const auto tls = load_tls(settings);
  if (!tls.ok()) {
    return {"home", "certificate", Verdict::fail, std::string(base::message(tls.status())),
            "correct server.tls_certificate and server.tls_key"};
  }
  if (*tls == nullptr) return {"home", "certificate", Verdict::ok, "none: plain HTTP", ""};
  const auto days = ((*tls)->expires_unix_s() - base::RealClock().unix_seconds()) / kDayS;
  const auto left = fmt::format("good for {} days", days);
  if (days >= kRenewalDays) return {"home", "certificate", Verdict::ok, left, ""};
  return {"home", "certificate", days > 0 ? Verdict::warn : Verdict::fail, left,
          "renew it; a running service takes the new one by itself"};
}
Finding sign_in(const base::Settings& settings) {
  const auto url = public_url(settings, "http://127.0.0.1");
  const auto options = url.ok() ? sign_in_options(settings, *url) : url.status();
  if (!options.ok()) {
    return {"home", "sign-in", Verdict::fail, std::string(base::message(options.status())),
            "correct the setting; docs/sign_in.md has examples"};
  }
  return {"home", "sign-in", Verdict::ok,
          options->oidc ? "provider " + options->oidc->issuer : "local users and keys", ""};
}

// Keys that others may read are as good as published.
Finding secrets(const std::string& home) {
  std::error_code error;
  std::string open;
  for (const auto& path :
       {home + "/secrets", home + "/secrets/credentials.toml", home + "/secrets/pepper",
        home + "/secrets/audit_key", home + "/secrets/master_key", home + "/secrets/session_key",
        home + "/plinth.db"}) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) open += " " + path;
  }
  if (open.empty()) return {"home", "secrets", Verdict::ok, "readable by their owner alone", ""};
  return {"home", "secrets", Verdict::fail, "others may read" + open, "chmod go-rwx" + open};
}

Finding database(const std::string& home) {
  const std::string path = home + "/plinth.db";
  const auto status = store::check_database(path);
  if (status.ok()) return {"home", "database", Verdict::ok, "whole", ""};
  if (absl::IsNotFound(status)) return {"home", "database", Verdict::ok, "not made yet", ""};
  return {
      "home", "database", Verdict::fail, std::string(base::message(status)),
      fmt::format("stop the service, move {0} aside and `plinth admin restore` a backup", path)};
}

Finding ledger(const std::string& home) {
  const auto loaded = load_settings(home, nullptr);
  if (!loaded.ok()) return {"home", "ledger", Verdict::warn, "not looked at", "see settings"};
  const auto opened = store::Database::open_present(database_of(home, *loaded));
  if (absl::IsNotFound(opened.status())) return {"home", "ledger", Verdict::ok, "not made yet", ""};
  const auto status = opened.ok() ? store::check_newest_sums(**opened) : opened.status();
  if (status.ok()) {
    return {"home", "ledger", Verdict::ok, "the newest hour's sums are those of its rows", ""};
  }
  return {"home", "ledger", Verdict::fail, std::string(base::message(status)),
          absl::IsDataLoss(status) ? "plinth admin verify --mend" : "mend store.database"};
}

Finding unfinished(const std::string& home) {
  std::uint64_t bytes = 0;
  int count = 0;
  std::error_code error;
  const std::string partial = home + "/blobs/partial";
  for (const auto& entry : fs::directory_iterator(partial, error)) {
    if (entry.path().extension() == ".lock") continue;
    bytes += entry.file_size(error);
    ++count;
  }
  if (count == 0) return {"models", "unfinished downloads", Verdict::ok, "none", ""};
  return {"models", "unfinished downloads", Verdict::warn,
          fmt::format("{} files, {}", count, human_bytes(bytes)),
          fmt::format("pull the model again to go on, or rm {}/*", partial)};
}

// Blobs that no model links to: an import or a removal that was killed.
Finding orphans(const std::string& home, const std::set<std::string>& used) {
  std::uint64_t bytes = 0;
  int count = 0;
  std::error_code error;
  std::string first;
  for (const auto& entry : fs::recursive_directory_iterator(home + "/blobs/sha256", error)) {
    if (!entry.is_regular_file(error) || used.contains(entry.path().filename().string())) continue;
    bytes += entry.file_size(error);
    if (++count == 1) first = entry.path().string();
  }
  if (count == 0) return {"models", "unused files", Verdict::ok, "none", ""};
  return {"models", "unused files", Verdict::warn,
          fmt::format("{} files, {}, no model uses them", count, human_bytes(bytes)),
          "rm " + first + (count > 1 ? " and the others beside it" : "")};
}

// Lengths alone: `plinth model verify` reads every byte.
Finding installed(const cluster::ModelLibrary& library, std::set<std::string>& used) {
  std::string damaged, names;
  for (const auto& model : library.list()) {
    names += (names.empty() ? "" : ", ") + model.name;
    for (const auto& file : model.files) {
      if (!file.content.empty()) continue;  // `plinth model verify` opens what is sealed
      used.insert(file.sha256);
      std::error_code error;
      const auto bytes = fs::file_size(library.blobs().path(file.sha256), error);
      if (error || bytes != file.bytes) damaged += fmt::format(" {}/{}", model.name, file.path);
    }
  }
  if (!damaged.empty()) {
    return {"models", "installed", Verdict::fail, "missing or cut short:" + damaged,
            "`plinth model rm` and pull the model again"};
  }
  return {"models", "installed", Verdict::ok, names.empty() ? "none yet" : names, ""};
}

bool is_held(const std::string& home) {
  const base::UniqueFd fd(::open((home + "/lock").c_str(), O_RDWR | O_CLOEXEC));
  return fd.valid() && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

}  // namespace

std::vector<Finding> check_home(const std::string& home) {
  std::vector<Finding> found{folder(home), settings(home), secrets(home), database(home),
                             ledger(home)};
  if (const auto loaded = load_settings(home, nullptr); loaded.ok()) {
    found.push_back(sign_in(*loaded));
    found.push_back(certificate(*loaded));
  }
  return found;
}

std::vector<Finding> check_models(const std::string& home) {
  struct stat info {};
  // Opening the library would make its folders.
  if (::stat((home + "/models").c_str(), &info) != 0) {
    return {{"models", "installed", Verdict::ok, "none yet", ""}};
  }
  const auto library = cluster::ModelLibrary::open(home);
  if (!library.ok()) {
    return {{"models", "installed", Verdict::fail, std::string(base::message(library.status())),
             "mend the folder's permissions"}};
  }
  std::set<std::string> used;
  auto first = installed(*library, used);
  return {std::move(first), unfinished(home), orphans(home, used)};
}

std::vector<Finding> check_service(const std::string& home) {
  if (!is_held(home)) return {{"service", "state", Verdict::ok, "not running", ""}};
  const auto service = read_service_file(home);
  if (!service.ok()) {
    return {{"service", "state", Verdict::warn, "a process holds the home and is not ready yet",
             "wait until its models are loaded; logs/ says how far it is"}};
  }
  net::HttpClientOptions options;
  options.proxies = !is_this_machine(service->url);
  options.total_max = std::chrono::seconds(5);
  const auto client = net::make_http_client(options);
  std::vector<Finding> findings;
  for (const char* path : {"/healthz", "/readyz"}) {
    const auto answer = client->get(service->url + path, {});
    Finding finding{"service", path, Verdict::ok, service->url + path + " answers", ""};
    if (!answer.ok()) {
      finding.verdict = Verdict::fail;
      finding.detail = base::message(answer.status());
      finding.mend = fmt::format("look into {}/logs; restart process {}", home, service->pid);
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace plinth
