// A file of lines, read one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace plinth::governance {

// `take` gets each line without its newline, and its number from 1; its error ends the reading. An
// end without a newline is no line: it is what a crash left. ResourceExhausted where a line is
// longer than kAuditLineBytesMax.
absl::Status read_lines(
    const std::string& path,
    const std::function<absl::Status(std::string_view line, std::int64_t number)>& take);

}  // namespace plinth::governance
