#include "governance/sign_in/phc.h"

#include <fmt/format.h>

#include <cstddef>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "governance/sign_in_limits.h"

namespace plinth::governance {

namespace {

std::string base64(std::string_view bytes) {
  std::string text = absl::Base64Escape(base::to_absl(bytes));
  while (text.ends_with('=')) text.pop_back();
  return text;
}

bool read_bytes(absl::string_view text, std::size_t bytes_min, std::string& out) {
  constexpr std::size_t kBytesMax = 64;
  return absl::Base64Unescape(text, &out) && out.size() >= bytes_min && out.size() <= kBytesMax;
}

bool read_number(absl::string_view text, absl::string_view name, std::uint32_t most,
                 std::uint32_t& out) {
  return absl::ConsumePrefix(&text, name) && absl::SimpleAtoi(text, &out) && out >= 1 &&
         out <= most;
}

}  // namespace

std::string to_phc(const Phc& phc) {
  return fmt::format("$argon2id$v=19$m={},t={},p={}${}${}", phc.cost.memory_kib, phc.cost.passes,
                     phc.cost.lanes, base64(phc.salt), base64(phc.hash));
}

std::optional<Phc> parse_phc(std::string_view text) {
  if (text.size() > kPasswordPhcBytesMax) return std::nullopt;
  const std::vector<absl::string_view> parts = absl::StrSplit(base::to_absl(text), '$');
  if (parts.size() != 6 || parts[1] != "argon2id") return std::nullopt;
  const std::vector<absl::string_view> cost = absl::StrSplit(parts[3], ',');
  Phc phc;
  if (cost.size() != 3 || !read_number(cost[0], "m=", kPasswordMemoryKibMax, phc.cost.memory_kib) ||
      !read_number(cost[1], "t=", kPasswordPassesMax, phc.cost.passes) ||
      !read_number(cost[2], "p=", kPasswordLanesMax, phc.cost.lanes) ||
      !read_bytes(parts[4], 8, phc.salt) || !read_bytes(parts[5], 16, phc.hash)) {
    return std::nullopt;
  }
  // The version, padding, white space and signs that the readers above would let pass.
  if (to_phc(phc) != text) return std::nullopt;
  return phc;
}

}  // namespace plinth::governance
