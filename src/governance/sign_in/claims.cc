#include "governance/sign_in/claims.h"

#include <set>

#include "absl/strings/str_split.h"
#include "governance/sign_in/json_fields.h"

namespace plinth::governance {

namespace {

const base::json::value* find_claim(const base::json::object& claims, std::string_view path) {
  // Auth0 names claims by URLs, which hold dots.
  if (const auto* whole = claims.if_contains(path)) return whole;
  const base::json::object* object = &claims;
  while (object != nullptr) {
    const auto dot = path.find('.');
    const auto* member = object->if_contains(path.substr(0, dot));
    if (member == nullptr || dot == std::string_view::npos) return member;
    object = member->if_object();
    path.remove_prefix(dot + 1);
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> named_claims(const base::json::object& claims, std::string_view path,
                                      const ClaimNames& names) {
  std::set<std::string> found;
  const auto add = [&](std::string_view value) {
    const auto name = names.find(value);
    if (name != names.end()) found.insert(name->second);
  };
  const auto* claim = find_claim(claims, path);
  if (claim == nullptr) return {};
  if (const auto* list = claim->if_array()) {
    for (const auto& item : *list) {
      if (item.is_string()) add(view(item.get_string()));
    }
  } else if (const auto* words = claim->if_string()) {
    for (const auto word : absl::StrSplit(base::to_absl(view(*words)), ' ')) {
      add(base::to_std(word));
    }
  }
  return {found.begin(), found.end()};
}

namespace {

// A token that a program got for itself. OAuth's client credentials make its subject the client
// (RFC 9068, section 2.2); Entra's has one id for both, where a person's subject is another for
// each client; Keycloak makes a user for it.
bool is_program(const base::json::object& claims, const std::string& subject) {
  if (text_member(claims, "idtyp") == "app") return true;
  for (const std::string_view name : {"client_id", "azp", "appid", "oid"})
    if (text_member(claims, name) == subject) return true;
  return claims.contains("client_id") &&
         text_member(claims, "preferred_username").starts_with("service-account-");
}

}  // namespace

Identity identity_of(const JwtClaims& claims) {
  Identity identity;
  identity.issuer = claims.issuer;
  identity.subject = claims.subject;
  identity.expires_unix_s = claims.expires_unix_s;
  const auto* verified = claims.all.if_contains("email_verified");
  if (verified == nullptr || *verified == base::json::value(true)) {
    identity.email = text_member(claims.all, "email");
  }
  identity.email_verified = verified != nullptr && !identity.email.empty();
  identity.program = is_program(claims.all, claims.subject);
  identity.name = text_member(claims.all, "name");
  if (identity.name.empty()) identity.name = text_member(claims.all, "preferred_username");
  return identity;
}

}  // namespace plinth::governance
