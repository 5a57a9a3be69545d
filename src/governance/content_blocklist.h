// Lists of an operator's own terms and regexes that policies name.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace plinth::governance {

struct BlocklistItem {
  std::string pattern;
  // A regex of PCRE2 that sees normalised text: case, accents, invisible characters and repeated
  // white space are gone, and a match spans at most kRegexWindowBytes. Otherwise a word or phrase.
  bool is_regex = false;
  // Whether a word or phrase is found only where no word goes on before or after it.
  bool whole_word = true;
  bool operator==(const BlocklistItem&) const = default;
};

struct Blocklist {
  std::string name;
  std::vector<BlocklistItem> items;
};

// InvalidArgument where the item cannot be used: a bad regex is named with the byte at fault.
absl::Status check_blocklist_item(const BlocklistItem& item);

// {pattern, isRegex?, wholeWord?}, as Azure's raiBlocklistItems have it in `properties`; wholeWord
// is ours. Checked. Errors name the path of the key.
absl::StatusOr<BlocklistItem> parse_blocklist_item(const base::json::value& properties);
base::json::object blocklist_item_json(const BlocklistItem& item);

}  // namespace plinth::governance
