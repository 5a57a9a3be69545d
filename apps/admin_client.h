// The administration API as `plinth admin` calls it: with the admin key of the home, or one that is
// given.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"

namespace plinth {

class Command;

struct AdminFlags {
  std::string url;  // --url, PLINTH_URL; "" = the service of the home
  std::string key;  // --key, PLINTH_ADMIN_KEY; "" = the home's
  bool json = false;
};
void add_admin_flags(Command& command, AdminFlags& flags);

class AdminClient {
 public:
  // Unavailable where no service runs.
  static absl::StatusOr<AdminClient> connect(const std::string& home_flag, const AdminFlags& flags);

  // `path` below /v1/organization, or from /v1/ on. A refusal is an error with the service's own
  // words.
  absl::StatusOr<base::json::object> get(const std::string& path) const;
  absl::StatusOr<base::json::object> post(const std::string& path,
                                          const base::json::value& body) const;
  absl::StatusOr<base::json::object> remove(const std::string& path) const;
  // The entries of every page of a list.
  absl::StatusOr<base::json::array> all(const std::string& path) const;

 private:
  AdminClient(std::string url, std::string key) : url_(std::move(url)), key_(std::move(key)) {}
  enum class Method { get, post, remove };
  absl::StatusOr<base::json::object> call(Method method, const std::string& path,
                                          const std::string& body) const;
  std::string url_, key_;
};

// For a path: what is not a letter, digit or one of -_.~ is escaped.
std::string url_escaped(std::string_view text);

}  // namespace plinth
