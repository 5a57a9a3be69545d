#include "governance/shared_secrets.h"

#include <fmt/format.h>

#include "base/json.h"
#include "governance/audit/signing_key.h"
#include "governance/sign_in/keyed_hash.h"
#include "governance/sign_in/session_key.h"
#include "governance/vault/pepper.h"
#include "governance/vault/secret_file.h"

namespace plinth::governance {

namespace {

constexpr char kKind[] = "installation", kName[] = "secrets";
constexpr char kPurpose[] = "plinth secrets fingerprint 1";

absl::StatusOr<std::string> fingerprint(const std::string& home, const std::string& name) {
  ASSIGN_OR_RETURN(const auto secret, read_secret(home, name));
  return keyed_hash(secret, kPurpose);
}

absl::StatusOr<store::DocumentRow> row_of(const std::string& home, const base::Clock& clock) {
  ASSIGN_OR_RETURN(const auto prints, secret_fingerprints(home));
  base::json::object body;
  for (const auto& [name, print] : prints) body[name] = print;
  const auto now_s = clock.unix_seconds();
  return store::DocumentRow{kKind, "", kName, base::to_json(body), now_s, now_s};
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> secret_fingerprints(const std::string& home) {
  RETURN_IF_ERROR(load_pepper(home).status());
  RETURN_IF_ERROR(load_session_key(home).status());
  RETURN_IF_ERROR(SigningKey::open(home).status());
  std::map<std::string, std::string> prints;
  for (const char* name : {"audit_key", "pepper", "session_key"}) {
    ASSIGN_OR_RETURN(prints[name], fingerprint(home, name));
  }
  return prints;
}

absl::Status check_shared_secrets(const std::string& home, store::Database& database,
                                  const base::Clock& clock) {
  ASSIGN_OR_RETURN(const auto mine, row_of(home, clock));
  ASSIGN_OR_RETURN(const auto kept, store::DocumentStore(database).put_if_absent(mine));
  if (kept.body == mine.body) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto prints, secret_fingerprints(home));
  ASSIGN_OR_RETURN(const auto parsed, base::parse_json(kept.body));
  const auto* object = parsed.if_object();
  std::string differ;
  for (const auto& [name, print] : prints) {
    const auto* value = object == nullptr ? nullptr : object->if_contains(name);
    if (value != nullptr && value->is_string() && std::string_view(value->get_string()) == print)
      continue;
    differ += fmt::format("{}{}", differ.empty() ? "" : ", ", name);
  }
  return base::failed_precondition(fmt::format(
      "{0}/secrets are not those of this database: {1} differ. Gateways that share a database need"
      " the same: copy the files master_key, pepper, audit_key and session_key of a gateway that"
      " runs on it into {0}/secrets. Where the old ones are lost, `plinth admin adopt-secrets`"
      " makes these the database's: API keys and sessions of before are then over",
      home, differ));
}

absl::Status adopt_secrets(const std::string& home, store::Database& database,
                           const base::Clock& clock) {
  ASSIGN_OR_RETURN(const auto mine, row_of(home, clock));
  return store::DocumentStore(database).put(mine, 1).status();
}

}  // namespace plinth::governance
