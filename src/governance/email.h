// Addresses that people are invited by and found by.
#pragma once

#include <string_view>

#include "base/status.h"

namespace plinth::governance {

// InvalidArgument unless it is one plain address, as HTML's input type=email takes it (WHATWG
// HTML, "valid e-mail address"): no display name, comment, quotes, blank or line break that could
// become a second header of a letter; at most kEmailBytesMax.
absl::Status check_email(std::string_view email);

}  // namespace plinth::governance
