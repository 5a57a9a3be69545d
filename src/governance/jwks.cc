#include "governance/jwks.h"

#include <fmt/format.h>

#include <utility>

#include "governance/sign_in/encoding.h"
#include "governance/sign_in/json_fields.h"
#include "governance/sign_in/refreshed.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

namespace {

bool for_signatures(const base::json::object& jwk) {
  if (jwk.contains("use") && text_member(jwk, "use") != "sig") return false;
  return !jwk.contains("key_ops") || lists(jwk, "key_ops", "verify");
}

bool for_algorithm(const base::json::object& jwk, std::string_view algorithm) {
  return !jwk.contains("alg") || text_member(jwk, "alg") == algorithm;
}

// Nothing where it is no key for us.
std::optional<JwtKey> read_key(const base::json::object& jwk) {
  if (!for_signatures(jwk)) return std::nullopt;
  const std::string type = text_member(jwk, "kty");
  const auto bytes = [&](std::string_view name) {
    return base64url_bytes(text_member(jwk, name)).value_or("");
  };
  absl::StatusOr<JwtKey> key = base::invalid_argument("[jwks] another kind of key");
  if (type == "RSA" && for_algorithm(jwk, "RS256")) {
    key = JwtKey::rsa(bytes("n"), bytes("e"));
  } else if (type == "EC" && text_member(jwk, "crv") == "P-256" && for_algorithm(jwk, "ES256")) {
    key = JwtKey::p256(bytes("x"), bytes("y"));
  }
  if (!key.ok()) return std::nullopt;
  return *std::move(key);
}

}  // namespace

absl::StatusOr<JwkSet> JwkSet::parse(std::string_view text) {
  ASSIGN_OR_RETURN(const auto document, base::parse_json(text, {.bytes_max = kJwksBytesMax}));
  const auto* object = document.if_object();
  const auto* list = object == nullptr ? nullptr : object->if_contains("keys");
  if (list == nullptr || !list->is_array()) return base::invalid_argument("[jwks] no key set");
  if (list->get_array().size() > kJwksKeysMax) {
    return base::invalid_argument(fmt::format("[jwks] {} keys are over the limit of {}",
                                              list->get_array().size(), kJwksKeysMax));
  }
  JwkSet set;
  for (const auto& item : list->get_array()) {
    if (!item.is_object()) continue;
    const auto& jwk = item.get_object();
    const std::string key_id = text_member(jwk, "kid");
    if (key_id.size() > kKeyIdBytesMax) continue;
    auto key = read_key(jwk);
    if (!key.has_value()) continue;
    if (!set.keys_.emplace(key_id, *std::move(key)).second) {
      return base::invalid_argument("[jwks] two keys have one id");
    }
  }
  return set;
}

const JwtKey* JwkSet::find(std::string_view key_id) const {
  if (key_id.empty()) return keys_.size() == 1 ? &keys_.begin()->second : nullptr;
  const auto found = keys_.find(key_id);
  return found == keys_.end() ? nullptr : &found->second;
}

struct JwksCache::Impl {
  Impl(Refreshed<JwkSet>::Load load, const base::Clock& clock) : set(std::move(load), clock) {}
  Refreshed<JwkSet> set;
};

JwksCache::JwksCache(Url url, Fetch fetch, const base::Clock& clock) {
  const auto load = [url = std::move(url), fetch = std::move(fetch)]() -> absl::StatusOr<JwkSet> {
    ASSIGN_OR_RETURN(const std::string address, url());
    ASSIGN_OR_RETURN(const std::string text, fetch(address));
    return JwkSet::parse(text);
  };
  impl_ = std::make_unique<Impl>(load, clock);
}

JwksCache::~JwksCache() = default;

absl::StatusOr<JwtKey> JwksCache::find(const std::string& key_id) {
  const auto kept = impl_->set.get([&](const JwkSet& set) { return set.find(key_id) != nullptr; });
  const JwtKey* key = kept.value ? kept.value->find(key_id) : nullptr;
  if (key != nullptr) return *key;
  if (!kept.latest.ok()) {
    return base::unavailable(
        fmt::format("[jwks] the provider's keys: {}", base::message(kept.latest)));
  }
  return absl::UnauthenticatedError("[jwt] the provider has no key of that id");
}

std::optional<JwtKey> JwksCache::known(const std::string& key_id) {
  const auto kept = impl_->set.kept();
  const JwtKey* key = kept == nullptr ? nullptr : kept->find(key_id);
  return key == nullptr ? std::nullopt : std::optional<JwtKey>(*key);
}

}  // namespace plinth::governance
