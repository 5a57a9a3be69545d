#include "governance/api_keys.h"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <zlib.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "governance/built_in_roles.h"
#include "governance/network.h"
#include "governance/sign_in/keyed_hash.h"
#include "governance/vault/pepper.h"

namespace plinth::governance {

namespace {

constexpr std::string_view kPrefix = "sk-plinth-";
constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kIdChars = 12;
constexpr std::size_t kSecretChars = 32;
constexpr std::size_t kCrcChars = 6;  // 62^6 > 2^32
constexpr std::size_t kKeyChars = kPrefix.size() + kIdChars + 1 + kSecretChars + kCrcChars;
// Another process's revocation is seen after this long; ours at once.
constexpr std::chrono::seconds kCacheSeconds{10};
// Bounds the memory that keys can take, and that ids without one can; past it each starts anew.
constexpr std::size_t kCacheEntriesMax = 10'000;
// How often the time of a key's last use is written: it is for people who look for keys that
// nobody uses.
constexpr std::int64_t kTouchSeconds = 60;

absl::StatusOr<std::string> random_text(std::size_t length) {
  std::string text;
  while (text.size() < length) {
    unsigned char byte = 0;
    if (RAND_bytes(&byte, 1) != 1) return base::internal("[keys] no random bytes");
    // 248 = 4 * 62: larger bytes would favour the first digits.
    if (byte < 248) text += kDigits[byte % 62];
  }
  return text;
}

std::string checksum(std::string_view text) {
  auto value = static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
  std::string out(kCrcChars, '0');
  for (std::size_t i = kCrcChars; i-- > 0; value /= 62) out[i] = kDigits[value % 62];
  return out;
}

absl::Status refused() { return absl::UnauthenticatedError("Incorrect API key provided"); }

std::optional<std::string> to_array(const std::vector<std::string>& texts) {
  if (texts.empty()) return std::nullopt;
  base::json::array array;
  for (const auto& text : texts) array.push_back(base::json::string(text));
  return base::to_json(array);
}

absl::StatusOr<std::vector<std::string>> from_array(const std::optional<std::string>& text) {
  std::vector<std::string> texts;
  if (!text) return texts;
  ASSIGN_OR_RETURN(const auto parsed, base::parse_json(*text));
  if (!parsed.is_array()) return base::data_loss("[keys] a list of a key's row is none");
  for (const auto& value : parsed.get_array()) {
    if (!value.is_string()) return base::data_loss("[keys] a list of a key's row has no texts");
    texts.emplace_back(value.get_string());
  }
  return texts;
}

// A key as its checks need it.
struct Checked {
  Principal principal;
  std::vector<Network> networks;
  std::optional<std::int64_t> expires_unix_s;
  base::TimePoint until;
};

absl::StatusOr<Checked> to_checked(const store::KeyRow& row, base::TimePoint until) {
  Checked checked;
  checked.principal.key_id = row.id;
  checked.principal.organization = row.organization;
  checked.principal.project = row.project;
  checked.principal.role = row.role == "admin" ? Role::admin : Role::project;
  checked.principal.service_account = row.service_account.value_or("");
  checked.principal.user = row.person.value_or("");
  ASSIGN_OR_RETURN(checked.principal.models, from_array(row.models));
  ASSIGN_OR_RETURN(const auto networks, from_array(row.networks));
  for (const auto& text : networks) {
    ASSIGN_OR_RETURN(checked.networks.emplace_back(), Network::parse(text));
  }
  checked.expires_unix_s = row.expires_unix_s;
  checked.until = until;
  return checked;
}

absl::Status check_use(const Checked& checked, std::string_view peer, std::int64_t now_s) {
  if (checked.expires_unix_s && now_s >= *checked.expires_unix_s) {
    return absl::UnauthenticatedError("The API key has expired");
  }
  const bool known = checked.networks.empty() || peer.empty() ||
                     std::any_of(checked.networks.begin(), checked.networks.end(),
                                 [&](const Network& network) { return network.contains(peer); });
  if (known) return absl::OkStatus();
  return absl::PermissionDeniedError(
      base::to_absl(fmt::format("This API key may not be used from {}.", peer)));
}

}  // namespace

struct ApiKeys::Impl {
  Impl(std::string home_, std::string pepper_, store::Database& database, const base::Clock& clock_)
      : home(std::move(home_)),
        pepper(std::move(pepper_)),
        rows(database),
        rights(database),
        clock(clock_) {}

  void touch(const std::string& id) {
    std::lock_guard lock(mutex);
    used[id] = clock.unix_seconds();
  }

  void remember_unknown(std::string id, base::TimePoint until) {
    std::lock_guard lock(mutex);
    if (unknown.size() >= kCacheEntriesMax) unknown.clear();
    unknown[std::move(id)] = until;
  }

  const std::string home;
  const std::string pepper;
  store::KeyStore rows;
  KeyRightsReader rights;
  const base::Clock& clock;
  std::mutex mutex;
  std::map<std::string, Checked> checked;  // by HMAC; protected by mutex, as are the following
  // Ids that no key has, until when: made-up keys cost one question each.
  std::map<std::string, base::TimePoint> unknown;
  std::map<std::string, std::int64_t> used;  // since touched_s
  std::int64_t touched_s = 0;
  // Counts what made keys known before untrue, so that nobody remembers what they read before it.
  std::uint64_t generation = 0;
};

ApiKeys::ApiKeys(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ApiKeys::~ApiKeys() = default;

absl::StatusOr<std::unique_ptr<ApiKeys>> ApiKeys::open(const std::string& home,
                                                       store::Database& database,
                                                       const base::Clock& clock) {
  ASSIGN_OR_RETURN(std::string pepper, load_pepper(home));
  auto impl = std::make_unique<Impl>(home, std::move(pepper), database, clock);
  return std::unique_ptr<ApiKeys>(new ApiKeys(std::move(impl)));
}

absl::StatusOr<NewKey> ApiKeys::create(const KeySpec& spec) {
  for (const auto& network : spec.networks) RETURN_IF_ERROR(Network::parse(network).status());
  ASSIGN_OR_RETURN(const std::string id, random_text(kIdChars));
  ASSIGN_OR_RETURN(const std::string secret, random_text(kSecretChars));
  NewKey made;
  made.text = fmt::format("{}{}-{}", kPrefix, id, secret);
  made.text += checksum(made.text);
  auto& row = made.row;
  row.id = id;
  row.organization = spec.organization;
  row.project = spec.project;
  row.name = spec.name;
  row.role = spec.role == Role::admin ? "admin" : "project";
  row.secret_hmac = keyed_hash(impl_->pepper, made.text);
  row.hint = mask_key(made.text);
  if (!spec.service_account.empty()) row.service_account = spec.service_account;
  if (!spec.user.empty()) row.person = spec.user;
  if (spec.scopes) row.scopes = to_row(*spec.scopes);
  row.models = to_array(spec.models);
  row.networks = to_array(spec.networks);
  row.created_unix_s = impl_->clock.unix_seconds();
  row.expires_unix_s = spec.expires_unix_s;
  RETURN_IF_ERROR(impl_->rows.insert(row));
  return made;
}

absl::StatusOr<NewKey> ApiKeys::rotate(const std::string& id, std::chrono::seconds overlap) {
  ASSIGN_OR_RETURN(const auto old, impl_->rows.find(id));
  if (old.revoked_unix_s) return base::failed_precondition("The key was revoked.");
  ASSIGN_OR_RETURN(const auto checked, to_checked(old, {}));
  KeySpec spec;
  spec.organization = old.organization;
  spec.project = old.project;
  spec.name = old.name;
  spec.role = checked.principal.role;
  spec.service_account = checked.principal.service_account;
  spec.user = checked.principal.user;
  if (old.scopes) {
    ASSIGN_OR_RETURN(spec.scopes, permissions_from_row(*old.scopes));
  }
  spec.models = checked.principal.models;
  ASSIGN_OR_RETURN(spec.networks, from_array(old.networks));
  spec.expires_unix_s = old.expires_unix_s;
  ASSIGN_OR_RETURN(auto made, create(spec));
  const auto end = impl_->clock.unix_seconds() + overlap.count();
  RETURN_IF_ERROR(impl_->rows.expire(id, std::min(end, old.expires_unix_s.value_or(end))));
  std::lock_guard lock(impl_->mutex);
  ++impl_->generation;
  std::erase_if(impl_->checked,
                [&](const auto& entry) { return entry.second.principal.key_id == id; });
  return made;
}

absl::StatusOr<Principal> ApiKeys::authenticate(std::string_view key, std::string_view peer) {
  if (key.size() != kKeyChars || !key.starts_with(kPrefix)) return refused();
  if (checksum(key.substr(0, kKeyChars - kCrcChars)) != key.substr(kKeyChars - kCrcChars)) {
    return refused();
  }
  const std::string hmac = keyed_hash(impl_->pepper, key);
  const auto now = impl_->clock.now();
  const auto now_s = impl_->clock.unix_seconds();
  std::uint64_t generation = 0;
  {
    std::lock_guard lock(impl_->mutex);
    generation = impl_->generation;
    const auto found = impl_->checked.find(hmac);
    if (found != impl_->checked.end() && now < found->second.until) {
      RETURN_IF_ERROR(check_use(found->second, peer, now_s));
      return found->second.principal;
    }
    const auto unknown = impl_->unknown.find(std::string(key_id(key)));
    if (unknown != impl_->unknown.end() && now < unknown->second) return refused();
  }
  const auto row = impl_->rows.find(std::string(key_id(key)));
  if (absl::IsNotFound(row.status())) {
    impl_->remember_unknown(std::string(key_id(key)), now + kCacheSeconds);
    return refused();
  }
  RETURN_IF_ERROR(row.status());
  if (!same_secret(row->secret_hmac, hmac) || row->revoked_unix_s.has_value()) {
    return refused();
  }
  ASSIGN_OR_RETURN(auto checked, to_checked(*row, now + kCacheSeconds));
  auto rights = impl_->rights.read(*row);
  if (absl::IsNotFound(rights.status())) return refused();
  RETURN_IF_ERROR(rights.status());
  checked.principal.grants = std::move(rights->grants);
  checked.principal.delegable = rights->delegable;
  RETURN_IF_ERROR(check_use(checked, peer, now_s));
  const auto principal = checked.principal;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->checked.size() >= kCacheEntriesMax) impl_->checked.clear();
    if (impl_->generation == generation) impl_->checked[hmac] = std::move(checked);
  }
  // Once for each time that the key is read anew.
  impl_->touch(principal.key_id);
  return principal;
}

void ApiKeys::write_uses(bool now) {
  std::vector<std::pair<std::string, std::int64_t>> due;
  {
    std::lock_guard lock(impl_->mutex);
    const auto time_s = impl_->clock.unix_seconds();
    if (impl_->used.empty() || (!now && time_s < impl_->touched_s + kTouchSeconds)) return;
    impl_->touched_s = time_s;
    due.assign(impl_->used.begin(), impl_->used.end());
    impl_->used.clear();
  }
  if (const auto status = impl_->rows.touch(due); !status.ok()) LOG(warn, "{}", status.ToString());
}

absl::Status ApiKeys::revoke(const std::string& id) {
  RETURN_IF_ERROR(impl_->rows.revoke(id, impl_->clock.unix_seconds()));
  std::lock_guard lock(impl_->mutex);
  ++impl_->generation;
  std::erase_if(impl_->checked,
                [&](const auto& entry) { return entry.second.principal.key_id == id; });
  return absl::OkStatus();
}

absl::Status ApiKeys::set_scopes(const std::string& id,
                                 const std::optional<PermissionSet>& scopes) {
  RETURN_IF_ERROR(
      impl_->rows.set_scopes(id, scopes ? std::optional(to_row(*scopes)) : std::nullopt));
  forget();
  return absl::OkStatus();
}

absl::Status ApiKeys::set_expiry(const std::string& id, std::int64_t unix_s) {
  RETURN_IF_ERROR(impl_->rows.expire(id, unix_s));
  forget();
  return absl::OkStatus();
}

absl::StatusOr<KeyRights> ApiKeys::rights(const store::KeyRow& row) {
  return impl_->rights.read(row);
}

void ApiKeys::forget() {
  std::lock_guard lock(impl_->mutex);
  impl_->checked.clear();
  ++impl_->generation;
}

absl::Status ApiKeys::revoke_project(const std::string& project) {
  RETURN_IF_ERROR(impl_->rows.revoke_project(project, impl_->clock.unix_seconds()));
  std::lock_guard lock(impl_->mutex);
  ++impl_->generation;
  std::erase_if(impl_->checked,
                [&](const auto& entry) { return entry.second.principal.project == project; });
  return absl::OkStatus();
}

absl::StatusOr<store::KeyRow> ApiKeys::find(const std::string& id) { return impl_->rows.find(id); }

absl::StatusOr<store::Page<store::KeyRow>> ApiKeys::list(Role role, const std::string& project,
                                                         const store::PageRequest& page) {
  return impl_->rows.list(role == Role::admin ? "admin" : "project", project, page);
}

absl::StatusOr<Credentials> ApiKeys::first_start() {
  auto kept = read_credentials(impl_->home);
  if (kept.ok() && authenticate(kept->api_key).ok()) return kept;
  if (!kept.ok() && !absl::IsNotFound(kept.status())) return kept.status();
  Credentials made;
  made.created = true;
  KeySpec project;
  project.project = project.name = "default";
  // It is the owner's: who has it may train on the machine, too.
  project.scopes = built_in_role(kUser)->permissions |
                   PermissionSet{Permission::read_tuning, Permission::manage_tuning};
  KeySpec admin;
  admin.name = "admin";
  admin.role = Role::admin;
  ASSIGN_OR_RETURN(const auto project_key, create(project));
  ASSIGN_OR_RETURN(const auto admin_key, create(admin));
  made.api_key = project_key.text;
  made.admin_key = admin_key.text;
  RETURN_IF_ERROR(base::write_file_atomic(
      impl_->home + "/secrets/credentials.toml",
      fmt::format("# The local command line's keys. Anyone who can read this file can use them.\n"
                  "api_key = \"{}\"\nadmin_key = \"{}\"\n",
                  made.api_key, made.admin_key),
      0600));
  return made;
}

absl::StatusOr<Credentials> read_credentials(const std::string& home) {
  const std::string path = home + "/secrets/credentials.toml";
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, 1 << 16));
  const auto value = [&](std::string_view name) -> std::string {
    const std::string opening = fmt::format("\n{} = \"", name);
    const auto begin = text.find(opening);
    if (begin == std::string::npos) return "";
    const auto end = text.find('"', begin + opening.size());
    if (end == std::string::npos) return "";
    return text.substr(begin + opening.size(), end - begin - opening.size());
  };
  Credentials credentials{value("api_key"), value("admin_key"), false};
  if (credentials.api_key.empty() || credentials.admin_key.empty()) {
    return base::data_loss(path + ": api_key or admin_key is missing");
  }
  return credentials;
}

std::string_view key_id(std::string_view key) {
  if (key.size() != kKeyChars || !key.starts_with(kPrefix)) return "";
  return key.substr(kPrefix.size(), kIdChars);
}

std::string mask_key(std::string_view key) {
  if (key.size() < 16) return "***";
  return fmt::format("{}***{}", key.substr(0, 12), key.substr(key.size() - 4));
}

}  // namespace plinth::governance
