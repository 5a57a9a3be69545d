// Comma-separated values (RFC 4180): what spreadsheets and cost tools read.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace plinth::governance {

// A cell as it stands in a row: nothing is an empty cell, and an empty text is "".
using CsvCell = std::optional<std::string>;

// One row with its line end. Quotes stand where a cell needs them.
std::string csv_row(const std::vector<CsvCell>& cells);

// A text that came from people. A spreadsheet runs what begins like a formula: such a text gets an
// apostrophe in front, which spreadsheets hide.
std::string csv_text(std::string_view text);

// Rows of a whole document, in order, each with the line that it begins in. InvalidArgument names
// the line where the quotes do not match or a row is longer than kCsvRowBytesMax.
absl::Status read_csv(
    std::string_view document,
    const std::function<absl::Status(std::size_t line, const std::vector<CsvCell>&)>& take);

}  // namespace plinth::governance
