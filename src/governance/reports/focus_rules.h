// The rules of FOCUS 1.2: every MUST of its columns that a row or a header can break.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "governance/reports/csv.h"
#include "governance/reports/focus_columns.h"

namespace plinth::governance {

// A row's cells in the order of kFocusColumns.
class FocusRow {
 public:
  const CsvCell& operator[](std::string_view column) const {
    return cells.at(*focus_place(column));
  }
  bool is(std::string_view column, std::string_view value) const {
    const auto& cell = (*this)[column];
    return cell && *cell == value;
  }
  std::array<CsvCell, kFocusColumns.size()> cells;
};

using FocusReport = std::function<void(std::string_view column, std::string what)>;

// Tells of every column of the specification that a header lacks or has twice, and of others that
// do not begin with x_. Returns where each column of kFocusColumns stands in a row.
std::array<std::optional<std::size_t>, kFocusColumns.size()> check_focus_header(
    const std::vector<CsvCell>& header, const FocusReport& report);

// Tells of every rule that the row breaks.
void check_focus_row(const FocusRow& row, const FocusReport& report);

}  // namespace plinth::governance
