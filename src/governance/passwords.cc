#include "governance/passwords.h"

#include <argon2.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <utf8proc.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "governance/sign_in/phc.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;

// A text that is wiped when it goes.
class Wiped {
 public:
  explicit Wiped(std::string text) : text_(std::move(text)) {}
  ~Wiped() { OPENSSL_cleanse(text_.data(), text_.size()); }
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Nothing where it is no UTF-8 or too long.
std::optional<std::string> normal_form(std::string_view password) {
  if (password.size() > kPasswordBytesMax) return std::nullopt;
  utf8proc_uint8_t* composed = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(password.data()),
                   static_cast<utf8proc_ssize_t>(password.size()), &composed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (size < 0) return std::nullopt;
  std::string text(reinterpret_cast<const char*>(composed), static_cast<std::size_t>(size));
  OPENSSL_cleanse(composed, static_cast<std::size_t>(size));
  std::free(composed);
  return text;
}

std::size_t characters(std::string_view utf8) {
  std::size_t count = 0;
  for (const char c : utf8) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

absl::StatusOr<std::string> argon2id(std::string_view password, std::string_view salt,
                                     const PasswordCost& cost, std::size_t hash_bytes) {
  std::string hash(hash_bytes, '\0');
  const int error =
      argon2id_hash_raw(cost.passes, cost.memory_kib, cost.lanes, password.data(), password.size(),
                        salt.data(), salt.size(), hash.data(), hash.size());
  if (error == ARGON2_OK) return hash;
  return base::resource_exhausted(fmt::format("[password] {}", argon2_error_message(error)));
}

}  // namespace

absl::Status check_new_password(std::string_view password) {
  const auto normal = normal_form(password);
  if (!normal.has_value()) {
    return base::invalid_argument(
        fmt::format("[password] it is no UTF-8 or longer than {} bytes", kPasswordBytesMax));
  }
  const Wiped text(*normal);
  if (characters(text.text()) >= kPasswordCharsMin) return absl::OkStatus();
  return base::invalid_argument(
      fmt::format("[password] it needs {} characters or more", kPasswordCharsMin));
}

absl::StatusOr<std::string> hash_password(std::string_view password, const RandomBytes& random,
                                          const PasswordCost& cost) {
  auto normal = normal_form(password);
  if (!normal.has_value()) {
    return base::invalid_argument("[password] it is no UTF-8 or too long");
  }
  const Wiped text(*std::move(normal));
  Phc phc;
  phc.cost = cost;
  ASSIGN_OR_RETURN(phc.salt, random(kSaltBytes));
  ASSIGN_OR_RETURN(phc.hash, argon2id(text.text(), phc.salt, cost, kHashBytes));
  return to_phc(phc);
}

absl::StatusOr<bool> password_fits(std::string_view password, std::string_view phc) {
  const auto kept = parse_phc(phc);
  if (!kept.has_value()) return base::data_loss("[password] the stored hash is damaged");
  auto normal = normal_form(password);
  const bool possible = normal.has_value();
  const Wiped text(possible ? *std::move(normal) : std::string());
  ASSIGN_OR_RETURN(const std::string hash,
                   argon2id(text.text(), kept->salt, kept->cost, kept->hash.size()));
  return CRYPTO_memcmp(hash.data(), kept->hash.data(), hash.size()) == 0 && possible;
}

bool needs_rehash(std::string_view phc, const PasswordCost& cost) {
  const auto kept = parse_phc(phc);
  return !kept.has_value() || kept->cost != cost || kept->salt.size() != kSaltBytes ||
         kept->hash.size() != kHashBytes;
}

}  // namespace plinth::governance
