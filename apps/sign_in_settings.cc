#include "apps/sign_in_settings.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "api/server.h"
#include "apps/provider_http.h"
#include "base/file.h"

namespace plinth {

namespace {

constexpr std::size_t kSecretBytesMax = 4096;

absl::Status wrong(std::string_view key, std::string_view why) {
  return base::invalid_argument(fmt::format("{}: {}", key, why));
}

// The first line, so that an editor's line end is no part of the secret.
absl::StatusOr<std::string> read_secret(std::string_view key, const std::string& path) {
  if (path.empty()) return "";
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0)
    return wrong(key, path + " can be read by others: chmod 600 it");
  auto text = base::read_file(path, kSecretBytesMax);
  if (!text.ok()) return wrong(key, base::message(text.status()));
  text->resize(std::min(text->size(), text->find_first_of("\r\n")));
  if (text->empty()) return wrong(key, path + " begins with an empty line");
  return text;
}

// VALUE=NAME, of which the value may hold an equals sign itself.
using Names = std::map<std::string, std::string, std::less<>>;
absl::StatusOr<Names> read_names(const base::Settings& settings, std::string_view key) {
  Names names;
  for (const auto& entry : settings.list(key)) {
    const auto equals = entry.rfind('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == entry.size())
      return wrong(key, fmt::format("\"{}\": expected VALUE=NAME", entry));
    if (!names.emplace(entry.substr(0, equals), entry.substr(equals + 1)).second)
      return wrong(key, fmt::format("\"{}\" is named twice", entry.substr(0, equals)));
  }
  return names;
}

// What a provider's setting without an issuer is for, nobody knows.
absl::Status check_no_provider(const base::Settings& settings) {
  for (const char* key : {"auth.oidc_client_id", "auth.oidc_audiences", "auth.oidc_role_names",
                          "auth.oidc_group_names", "auth.oidc_client_secret_file"}) {
    if (!settings.as_text(key).empty()) return wrong(key, "auth.oidc_issuer is empty");
  }
  return absl::OkStatus();
}

// The options, one after the other, so that what is wrong can be said of a setting.
absl::Status check_options(const governance::OidcOptions& options) {
  const auto fits = [](governance::OidcOptions one, std::string_view key) -> absl::Status {
    const auto status = governance::check_oidc_options(one);
    return status.ok() ? status : wrong(key, base::message(status));
  };
  governance::OidcOptions some;
  some.issuer = options.issuer;
  some.client_id = "any";
  some.allow_loopback_http = options.allow_loopback_http;
  RETURN_IF_ERROR(fits(some, "auth.oidc_issuer"));
  some.redirect_uris = options.redirect_uris;
  RETURN_IF_ERROR(fits(some, "auth.public_url"));
  some.scopes = options.scopes;
  RETURN_IF_ERROR(fits(some, "auth.oidc_scopes"));
  some.client_id = options.client_id;
  return fits(some, "auth.oidc_client_id");
}

absl::StatusOr<governance::OidcOptions> oidc_options(const base::Settings& settings,
                                                     const std::string& url) {
  governance::OidcOptions options;
  options.issuer = settings.text("auth.oidc_issuer");
  options.client_id = settings.text("auth.oidc_client_id");
  ASSIGN_OR_RETURN(
      options.client_secret,
      read_secret("auth.oidc_client_secret_file", settings.text("auth.oidc_client_secret_file")));
  options.audiences = settings.list("auth.oidc_audiences");
  options.tenant = settings.text("auth.oidc_tenant");
  options.scopes = settings.list("auth.oidc_scopes");
  options.roles_claim = settings.text("auth.oidc_roles_claim");
  options.groups_claim = settings.text("auth.oidc_groups_claim");
  options.allow_loopback_http = settings.boolean("auth.oidc_allow_loopback_http");
  ASSIGN_OR_RETURN(options.role_names, read_names(settings, "auth.oidc_role_names"));
  for (const auto& [value, name] : options.role_names) {
    const auto role = governance::parse_mapped_role(name);
    if (!role.ok()) return wrong("auth.oidc_role_names", base::message(role.status()));
  }
  ASSIGN_OR_RETURN(options.group_names, read_names(settings, "auth.oidc_group_names"));
  options.redirect_uris = {url + api::kProviderReturnPath};
  RETURN_IF_ERROR(check_options(options));
  return options;
}

}  // namespace

absl::StatusOr<std::string> public_url(const base::Settings& settings,
                                       const std::string& listened) {
  std::string url = settings.text("auth.public_url");
  if (url.empty()) return listened;
  while (url.ends_with("/")) url.pop_back();
  const auto host = url.find("://");
  const bool scheme = url.starts_with("https://") || url.starts_with("http://");
  // As browsers write an origin.
  const bool origin =
      scheme && host + 3 < url.size() && url.find_first_of("/?#@ ", host + 3) == std::string::npos;
  if (origin) return url;
  return wrong("auth.public_url", fmt::format("\"{}\": expected https://HOST or https://HOST:PORT",
                                              settings.text("auth.public_url")));
}

absl::StatusOr<governance::SignInOptions> sign_in_options(const base::Settings& settings,
                                                          const std::string& url) {
  governance::SignInOptions options;
  options.enrolment.create_people = settings.boolean("auth.oidc_create_people");
  options.enrolment.link_people = settings.boolean("auth.oidc_link_people");
  options.enrolment.trust_email = settings.boolean("auth.oidc_trust_email");
  if (settings.text("auth.oidc_issuer").empty()) {
    RETURN_IF_ERROR(check_no_provider(settings));
    return options;
  }
  ASSIGN_OR_RETURN(options.oidc, oidc_options(settings, url));
  options.provider_name = settings.text("auth.oidc_name");
  options.fetch = provider_fetch();
  options.post = provider_post();
  return options;
}

}  // namespace plinth
