#include "governance/recovery.h"

#include <fmt/format.h>
#include <pwd.h>

#include <array>

#include "base/json.h"
#include "governance/limits.h"

namespace plinth::governance {

namespace {

using Object = base::json::object;

// Of a question or an answer: names of a few hundred bytes.
constexpr base::JsonLimits kLimits{.depth_max = 2, .bytes_max = 16u << 10};

absl::StatusOr<Object> object_of(std::string_view text) {
  ASSIGN_OR_RETURN(auto parsed, base::parse_json(text, kLimits));
  if (!parsed.is_object()) return base::invalid_argument("[recovery] no JSON object");
  return parsed.get_object();
}

absl::StatusOr<std::string> text_of(const Object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string())
    return base::invalid_argument(fmt::format("[recovery] {} is no text", name));
  return std::string(value->get_string());
}

absl::StatusOr<std::optional<std::int64_t>> number_of(const Object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_int64())
    return base::invalid_argument(fmt::format("[recovery] {} is no whole number", name));
  return value->get_int64();
}

base::json::value number_or_null(const std::optional<std::int64_t>& number) {
  return number ? base::json::value(*number) : base::json::value(nullptr);
}

absl::Status check(const RecoveryRequest& request) {
  if (request.name.empty() || request.name.size() > kKeyNameBytesMax)
    return base::invalid_argument(
        fmt::format("[recovery] a name has 1 to {} bytes", kKeyNameBytesMax));
  if (request.name.find('\0') != std::string::npos)
    return base::invalid_argument("[recovery] a name has no zero bytes");
  if (request.lifetime_s && (*request.lifetime_s < 1 || *request.lifetime_s > kKeyLifetimeMaxS))
    return base::invalid_argument(
        fmt::format("[recovery] a key is good for 1 to {} seconds", kKeyLifetimeMaxS));
  return absl::OkStatus();
}

// "" where the user has no name on this machine.
std::string user_name(uid_t uid) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return "";
  return entry.pw_name;
}

AuditEvent event_of(const RecoveryRequest& request, const store::KeyRow& row, uid_t uid) {
  AuditEvent event;
  event.type = "api_key.recovered";
  event.actor = {.type = "local_user", .id = fmt::format("uid:{}", uid), .owner = user_name(uid)};
  event.organization = request.organization;
  event.resources = {row.id};
  event.details = {
      {"id", row.id},
      {"data", Object{{"name", row.name}, {"expires_at", number_or_null(row.expires_unix_s)}}}};
  return event;
}

}  // namespace

std::string to_text(const RecoveryRequest& request) {
  return base::to_json(Object{{"name", request.name},
                              {"organization", request.organization},
                              {"lifetime_s", number_or_null(request.lifetime_s)}});
}

absl::StatusOr<RecoveryRequest> parse_recovery(std::string_view text) {
  ASSIGN_OR_RETURN(const auto object, object_of(text));
  RecoveryRequest request;
  ASSIGN_OR_RETURN(request.name, text_of(object, "name"));
  ASSIGN_OR_RETURN(request.organization, text_of(object, "organization"));
  ASSIGN_OR_RETURN(request.lifetime_s, number_of(object, "lifetime_s"));
  RETURN_IF_ERROR(check(request));
  return request;
}

std::string to_text(const absl::StatusOr<RecoveredKey>& answer) {
  if (!answer.ok())
    return base::to_json(Object{{"error", std::string(base::message(answer.status()))}});
  return base::to_json(Object{{"id", answer->id},
                              {"key", answer->key},
                              {"expires_at", number_or_null(answer->expires_unix_s)}});
}

absl::StatusOr<RecoveredKey> parse_recovered(std::string_view text) {
  ASSIGN_OR_RETURN(const auto object, object_of(text));
  if (object.contains("error")) {
    ASSIGN_OR_RETURN(const auto words, text_of(object, "error"));
    return base::failed_precondition(words);
  }
  RecoveredKey made;
  ASSIGN_OR_RETURN(made.id, text_of(object, "id"));
  ASSIGN_OR_RETURN(made.key, text_of(object, "key"));
  ASSIGN_OR_RETURN(made.expires_unix_s, number_of(object, "expires_at"));
  return made;
}

absl::StatusOr<RecoveredKey> recover_admin_key(Governance& governance,
                                               const RecoveryRequest& request, uid_t uid) {
  RETURN_IF_ERROR(check(request));
  RecoveredKey recovered;
  const auto status = governance.on_record([&](AuditEvent& event) -> absl::Status {
    RETURN_IF_ERROR(governance.tenants().organization(request.organization).status());
    KeySpec spec;
    spec.organization = request.organization;
    spec.name = request.name;
    spec.role = Role::admin;
    ASSIGN_OR_RETURN(auto made, governance.keys().create(spec));
    if (request.lifetime_s) {
      // By the clock that keys are made and looked at by, which is not the database's.
      made.row.expires_unix_s = made.row.created_unix_s + *request.lifetime_s;
      RETURN_IF_ERROR(governance.keys().set_expiry(made.row.id, *made.row.expires_unix_s));
    }
    recovered = {made.row.id, made.text, made.row.expires_unix_s};
    event = event_of(request, made.row, uid);
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(status);
  return recovered;
}

std::string answer_recovery(Governance& governance, uid_t uid, std::string_view question) {
  const auto request = parse_recovery(question);
  if (!request.ok()) return to_text(absl::StatusOr<RecoveredKey>(request.status()));
  return to_text(recover_admin_key(governance, *request, uid));
}

}  // namespace plinth::governance
