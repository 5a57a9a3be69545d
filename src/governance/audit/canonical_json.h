// One text for each JSON value, as RFC 8785 has it: no spaces, members in the order of their names'
// UTF-16 units, the shortest escapes. Numbers are integers of 64 bits, in decimal.
#pragma once

#include <string>

#include "base/json.h"

namespace plinth::governance {

// A number that is no integer becomes the text of its shortest decimal form.
std::string canonical_json(const base::json::value& value);

}  // namespace plinth::governance
