// JSON with wildcards, as the cases write it.
#pragma once

#include <string>

#include "base/json.h"

namespace plinth::tests {

// "" where `actual` fits `expected`, else where and how it differs. In `expected` the string
// "<any>" stands for any value, "<string>", "<int>", "<number>" for any of that type, "<id X>" for
// a string that begins with X, "<has X>" for a string that holds X, and the key "..." of an object
// for keys that are not written down. Numbers are equal within 1e-6 of their size.
std::string mismatch(const base::json::value& expected, const base::json::value& actual,
                     const std::string& path = "$");

}  // namespace plinth::tests
