#include "api/auth/authenticate.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/cord.h"
#include "api/auth/cookies.h"
#include "api/auth/same_site.h"
#include "api/error_map.h"
#include "api/query.h"
#include "base/log.h"
#include "protocol/generate.h"

namespace plinth::api {

namespace {

using governance::Principal;

constexpr char kProjectHeader[] = "openai-project";

absl::Status with_code(absl::Status status, std::string_view code) {
  status.SetPayload(protocol::kCodePayload, absl::Cord(base::to_absl(code)));
  return status;
}

// The key or token of a request: a bearer's, or Azure's own header on Azure's paths. "" where there
// is none.
std::string_view credential_of(const Exchange& exchange) {
  if (exchange.dialect == Dialect::azure) {
    const auto key = exchange.request().header("api-key");
    if (!key.empty()) return key;
  }
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view header = exchange.request().header("authorization");
  const auto same = [](char a, char b) { return (a | 0x20) == b; };
  const bool bearer = header.size() > kBearer.size() &&
                      std::equal(kBearer.begin(), kBearer.end() - 1, header.begin(),
                                 [&](char b, char a) { return same(a, b); });
  return bearer ? header.substr(kBearer.size()) : std::string_view();
}

// header.claims.signature; no key of ours holds a dot.
bool is_token(std::string_view text) { return std::count(text.begin(), text.end(), '.') == 2; }

absl::Status no_credential() {
  return absl::UnauthenticatedError(
      "You didn't provide an API key. You need to provide your API key in an Authorization "
      "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).");
}

absl::Status by_key(Exchange& exchange, std::string_view key) {
  auto principal = exchange.services().governance.keys().authenticate(key, exchange.request().peer);
  if (absl::IsUnauthenticated(principal.status())) {
    return with_code(absl::UnauthenticatedError(base::to_absl(fmt::format(
                         "Incorrect API key provided: {}.", governance::mask_key(key)))),
                     "invalid_api_key");
  }
  // The key is right, and is named on record.
  if (absl::IsPermissionDenied(principal.status()))
    exchange.principal.key_id = governance::key_id(key);
  RETURN_IF_ERROR(principal.status());
  exchange.principal = *std::move(principal);
  return absl::OkStatus();
}

// The project of people and programs that have no key of one: as they say, or their only one.
absl::Status choose_project(Exchange& exchange) {
  auto& who = exchange.principal;
  const std::string named(exchange.request().header(kProjectHeader));
  if (named.empty()) {
    if (who.grants.projects.size() == 1) who.project = who.grants.projects.begin()->first;
    return absl::OkStatus();
  }
  bool member = is_text(named) && who.grants.projects.contains(named);
  if (!member && is_text(named) && !who.grants.organization.empty()) {
    const auto row = exchange.services().governance.tenants().project(named);
    if (!row.ok() && !absl::IsNotFound(row.status())) return row.status();
    member = row.ok() && !row->archived_s && row->organization == who.organization;
  }
  if (!member) {
    return absl::PermissionDeniedError(
        "You are no member of the project that the header OpenAI-Project names, or there is none "
        "of that id.");
  }
  who.project = named;
  return absl::OkStatus();
}

// What is told of a token or session that does not do.
absl::Status told(const absl::Status& status, bool token) {
  if (absl::IsUnauthenticated(status)) {
    if (!token) return status;
    return with_code(absl::UnauthenticatedError(base::to_absl(
                         fmt::format("Incorrect access token: {}.", base::message(status)))),
                     kInvalidToken);
  }
  if (absl::IsPermissionDenied(status) || absl::IsInvalidArgument(status)) return status;
  LOG(debug, "[sign-in] {}", status.ToString());
  return base::unavailable(token ? "The identity provider could not be asked; retry later."
                                 : "Sessions cannot be read; retry later.");
}

absl::Status finish(Exchange& exchange, absl::StatusOr<Principal> who, bool token) {
  if (!who.ok()) return told(who.status(), token);
  exchange.principal = *std::move(who);
  return choose_project(exchange);
}

// By what was known a moment ago, or on a thread that may wait.
void by_sign_in(const ExchangePtr& exchange, const std::string& credential, bool token,
                std::function<void(const absl::Status&)> done) {
  auto& sign_in = *exchange->services().governance.sign_in();
  auto known = token ? sign_in.known_token(credential) : sign_in.known_session(credential);
  if (known) return done(finish(*exchange, *std::move(known), token));
  auto lane = WorkQueue::Lane::usual;
  if (token) {
    // What is made up is told here, and takes no place of what is not.
    const auto signed_here = sign_in.glance(credential);
    if (!signed_here.ok()) return done(told(signed_here.status(), token));
    if (!*signed_here) lane = WorkQueue::Lane::doubtful;
  }
  const auto ask = [exchange, credential, token, done] {
    auto& asked = *exchange->services().governance.sign_in();
    done(finish(*exchange, token ? asked.by_token(credential) : asked.by_session(credential),
                token));
  };
  const auto queued = exchange->services().slow->add(ask, lane);
  if (!queued.ok()) done(queued);
}

}  // namespace

void authenticate(const ExchangePtr& exchange, std::function<void(const absl::Status&)> done) {
  const auto* sign_in = exchange->services().governance.sign_in();
  const bool signs_in = sign_in != nullptr && exchange->services().slow != nullptr;
  const auto credential = credential_of(*exchange);
  if (!credential.empty()) {
    if (signs_in && sign_in->has_provider() && is_token(credential))
      return by_sign_in(exchange, std::string(credential), true, std::move(done));
    return done(by_key(*exchange, credential));
  }
  const auto& request = exchange->request();
  const auto session =
      cookie_value(request.header("cookie"), session_cookie_name(exchange->services()));
  // Whoever sends another kind of Authorization does not mean the cookie.
  if (!signs_in || !session || session->empty() || !request.header("authorization").empty())
    return done(no_credential());
  if (const auto same = check_same_site(request, exchange->services().public_url); !same.ok())
    return done(same);
  by_sign_in(exchange, *session, false, std::move(done));
}

absl::Status check_project(const Exchange& exchange, const Route& route) {
  const auto& who = exchange.principal;
  if (route.needs.open() || scope_of(route) != Scope::caller || !who.key_id.empty() ||
      !who.project.empty()) {
    return absl::OkStatus();
  }
  if (who.grants.projects.empty() && who.grants.organization.empty()) {
    return absl::PermissionDeniedError(
        "You are signed in, and belong to no project: ask an administrator to add you to one.");
  }
  return parameter_error(
      "It is not clear for which project this request is. Name it by the header OpenAI-Project.",
      "OpenAI-Project", "missing_project");
}

}  // namespace plinth::api
