// A provider's key set (RFC 7517): parsed with bounds, and kept so that a token costs no request.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "governance/jwt_key.h"

namespace plinth::governance {

// The body of a successful GET; an error otherwise. Bounds its own time and the body's size, and
// does not follow redirects.
using Fetch = std::function<absl::StatusOr<std::string>(const std::string& url)>;

// Immutable.
class JwkSet {
 public:
  // Keys of another type, curve, use or algorithm and keys outside the bounds of limits.h are
  // passed over: a provider may add what we do not know. InvalidArgument where two usable keys have
  // one id, where there are more than kJwksKeysMax, or where the text is no key set.
  static absl::StatusOr<JwkSet> parse(std::string_view text);

  // Null where there is none. A token without a key id means the only key of a set.
  const JwtKey* find(std::string_view key_id) const;
  std::size_t size() const { return keys_.size(); }

 private:
  std::map<std::string, JwtKey, std::less<>> keys_;  // by key id; "" where a key has none
};

// Thread-safe. A key id that the kept set lacks makes it ask again, at most once per
// kProviderRefetchMin; a set older than kProviderRefresh is renewed, and while the provider is
// out it counts for kProviderOutageMax.
class JwksCache {
 public:
  // Where the set is to be had: asked before each fetch, as a provider may move it.
  using Url = std::function<absl::StatusOr<std::string>()>;

  JwksCache(Url url, Fetch fetch, const base::Clock& clock);
  ~JwksCache();

  // Unauthenticated where the provider has no such key; Unavailable where it could not be asked.
  absl::StatusOr<JwtKey> find(const std::string& key_id);
  // Of the keys that are here; never waits, and asks nobody.
  std::optional<JwtKey> known(const std::string& key_id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth::governance
