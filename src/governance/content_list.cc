#include "governance/content_list.h"

#include <fmt/format.h>

#include "governance/content_store.h"
#include "store/sha256.h"

namespace plinth::governance {

namespace {

constexpr char kFolder[] = "content";
constexpr std::size_t kDigestDigits = 64;
constexpr std::string_view kBetween = "  ";

}  // namespace

std::string content_line(const store::CopiedContent& file) {
  return fmt::format("{}{}{}\n", file.sha256, kBetween, content_path(kFolder, file.id));
}

absl::StatusOr<store::CopiedContent> parse_content_line(std::string_view line) {
  const auto bad = [] { return base::invalid_argument("[backup] no line of a list of content"); };
  const auto slash = line.rfind('/');
  if (slash == std::string_view::npos || slash < kDigestDigits) return bad();
  if (line.substr(kDigestDigits, kBetween.size()) != kBetween) return bad();
  store::CopiedContent file{std::string(line.substr(slash + 1)),
                            std::string(line.substr(0, kDigestDigits))};
  if (!store::is_sha256_hex(file.sha256) || !check_content_id(file.id).ok() ||
      line.substr(kDigestDigits + kBetween.size()) != content_path(kFolder, file.id)) {
    return bad();
  }
  return file;
}

}  // namespace plinth::governance
