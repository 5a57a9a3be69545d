#include "governance/content_blocklist.h"

#include <fmt/format.h>

#include "governance/content/bounded_regex.h"
#include "governance/content/term_detector.h"

namespace plinth::governance {

absl::Status check_blocklist_item(const BlocklistItem& item) {
  if (item.is_regex) return BoundedRegex::compile(item.pattern).status();
  return base::annotate(normalize_term(item.pattern).status(), "[blocklist] pattern");
}

absl::StatusOr<BlocklistItem> parse_blocklist_item(const base::json::value& properties) {
  const auto* object = properties.if_object();
  if (object == nullptr) return base::invalid_argument("[blocklist] properties: must be an object");
  BlocklistItem item;
  for (const auto& [key, value] : *object) {
    const std::string_view name = key;
    if (name == "pattern") {
      if (!value.is_string()) {
        return base::invalid_argument("[blocklist] properties.pattern: must be a text");
      }
      item.pattern = value.get_string();
    } else if (name == "isRegex" || name == "wholeWord") {
      if (!value.is_bool()) {
        return base::invalid_argument(
            fmt::format("[blocklist] properties.{}: must be true or false", name));
      }
      (name == "isRegex" ? item.is_regex : item.whole_word) = value.get_bool();
    } else {
      return base::invalid_argument(fmt::format("[blocklist] properties.{}: is not known", name));
    }
  }
  RETURN_IF_ERROR(check_blocklist_item(item));
  return item;
}

base::json::object blocklist_item_json(const BlocklistItem& item) {
  return {{"pattern", item.pattern}, {"isRegex", item.is_regex}, {"wholeWord", item.whole_word}};
}

}  // namespace plinth::governance
