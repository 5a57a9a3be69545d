#include "governance/api_keys.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <zlib.h>

#include <filesystem>
#include <map>
#include <mutex>

#include "base/file.h"

namespace plinth::governance {

namespace {

constexpr std::string_view kPrefix = "sk-plinth-";
constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kIdChars = 12;
constexpr std::size_t kSecretChars = 32;
constexpr std::size_t kCrcChars = 6;  // 62^6 > 2^32
constexpr std::size_t kKeyChars = kPrefix.size() + kIdChars + 1 + kSecretChars + kCrcChars;
constexpr std::size_t kPepperBytes = 32;
// Another process's revocation is seen after this long; ours at once.
constexpr std::chrono::seconds kCacheSeconds{10};
// Bounds the memory that valid keys can take; past it the cache starts anew.
constexpr std::size_t kCacheEntriesMax = 10'000;

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

std::string hmac_hex(const std::string& pepper, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(EVP_sha256(), pepper.data(), static_cast<int>(pepper.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &length);
  std::string hex;
  for (unsigned i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

absl::StatusOr<std::string> load_pepper(const std::string& home) {
  const std::string path = home + "/secrets/pepper";
  RETURN_IF_ERROR(base::make_folders(home + "/secrets", 0700));
  auto pepper = base::read_file(path, kPepperBytes);
  if (pepper.ok() && pepper->size() == kPepperBytes) return pepper;
  if (!absl::IsNotFound(pepper.status())) {
    return base::failed_precondition(path + ": damaged; keys cannot be checked without it");
  }
  std::string fresh(kPepperBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(fresh.data()), kPepperBytes) != 1) {
    return base::internal("[keys] no random bytes");
  }
  RETURN_IF_ERROR(base::write_file_atomic(path, fresh, 0600));
  return fresh;
}

absl::Status refused() { return absl::UnauthenticatedError("Incorrect API key provided"); }

}  // namespace

struct ApiKeys::Impl {
  struct Checked {
    Principal principal;
    base::TimePoint until;
  };
  Impl(std::string home_, std::string pepper_, store::Database& database, const base::Clock& clock_)
      : home(std::move(home_)), pepper(std::move(pepper_)), rows(database), clock(clock_) {}
  const std::string home;
  const std::string pepper;
  store::KeyStore rows;
  const base::Clock& clock;
  std::mutex mutex;
  std::map<std::string, Checked> checked;  // by HMAC; protected by mutex
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

absl::StatusOr<std::string> ApiKeys::create(const std::string& project, const std::string& name,
                                            Role role) {
  ASSIGN_OR_RETURN(const std::string id, random_text(kIdChars));
  ASSIGN_OR_RETURN(const std::string secret, random_text(kSecretChars));
  std::string key = fmt::format("{}{}-{}", kPrefix, id, secret);
  key += checksum(key);
  store::KeyRow row;
  row.id = id;
  row.project = project;
  row.name = name;
  row.role = role == Role::admin ? "admin" : "project";
  row.secret_hmac = hmac_hex(impl_->pepper, key);
  row.created_unix_s = impl_->clock.unix_seconds();
  RETURN_IF_ERROR(impl_->rows.insert(row));
  return key;
}

absl::StatusOr<Principal> ApiKeys::authenticate(std::string_view key) {
  if (key.size() != kKeyChars || !key.starts_with(kPrefix)) return refused();
  if (checksum(key.substr(0, kKeyChars - kCrcChars)) != key.substr(kKeyChars - kCrcChars)) {
    return refused();
  }
  const std::string hmac = hmac_hex(impl_->pepper, key);
  const auto now = impl_->clock.now();
  {
    std::lock_guard lock(impl_->mutex);
    const auto found = impl_->checked.find(hmac);
    if (found != impl_->checked.end() && now < found->second.until) return found->second.principal;
  }
  const auto row = impl_->rows.find(std::string(key.substr(kPrefix.size(), kIdChars)));
  if (absl::IsNotFound(row.status())) return refused();
  RETURN_IF_ERROR(row.status());
  if (row->secret_hmac.size() != hmac.size() ||
      CRYPTO_memcmp(row->secret_hmac.data(), hmac.data(), hmac.size()) != 0 ||
      row->revoked_unix_s.has_value()) {
    return refused();
  }
  const Principal principal{row->id, row->project,
                            row->role == "admin" ? Role::admin : Role::project};
  std::lock_guard lock(impl_->mutex);
  if (impl_->checked.size() >= kCacheEntriesMax) impl_->checked.clear();
  impl_->checked[hmac] = {principal, now + kCacheSeconds};
  return principal;
}

absl::Status ApiKeys::revoke(const std::string& id) {
  RETURN_IF_ERROR(impl_->rows.revoke(id, impl_->clock.unix_seconds()));
  std::lock_guard lock(impl_->mutex);
  std::erase_if(impl_->checked,
                [&](const auto& entry) { return entry.second.principal.key_id == id; });
  return absl::OkStatus();
}

absl::StatusOr<std::vector<store::KeyRow>> ApiKeys::list() { return impl_->rows.list(); }

absl::StatusOr<Credentials> ApiKeys::first_start() {
  auto kept = read_credentials(impl_->home);
  if (kept.ok() && authenticate(kept->api_key).ok()) return kept;
  if (!kept.ok() && !absl::IsNotFound(kept.status())) return kept.status();
  Credentials made;
  made.created = true;
  ASSIGN_OR_RETURN(made.api_key, create("default", "default", Role::project));
  ASSIGN_OR_RETURN(made.admin_key, create("default", "admin", Role::admin));
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

std::string mask_key(std::string_view key) {
  if (key.size() < 16) return "***";
  return fmt::format("{}***{}", key.substr(0, 12), key.substr(key.size() - 4));
}

}  // namespace plinth::governance
