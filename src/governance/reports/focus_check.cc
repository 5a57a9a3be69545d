#include "governance/focus_export.h"
#include "governance/limits.h"
#include "governance/reports/csv.h"
#include "governance/reports/focus_rules.h"

namespace plinth::governance {

absl::StatusOr<std::vector<FocusFinding>> check_focus(std::string_view csv) {
  std::vector<FocusFinding> findings;
  std::array<std::optional<std::size_t>, kFocusColumns.size()> places;
  std::size_t width = 0;
  RETURN_IF_ERROR(read_csv(csv, [&](std::size_t line, const std::vector<CsvCell>& cells) {
    const FocusReport report = [&](std::string_view column, std::string what) {
      if (findings.size() < kFocusFindingsMax)
        findings.push_back({line, std::string(column), std::move(what)});
    };
    if (width == 0) {
      width = cells.size();
      places = check_focus_header(cells, report);
      return absl::OkStatus();
    }
    if (cells.size() != width) {
      report("", "the row has " + std::to_string(cells.size()) + " cells, the header " +
                     std::to_string(width));
      return absl::OkStatus();
    }
    FocusRow row;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i]) row.cells[i] = cells[*places[i]];
    }
    check_focus_row(row, report);
    return absl::OkStatus();
  }));
  if (width == 0) findings.push_back({1, "", "the document is empty"});
  return findings;
}

}  // namespace plinth::governance
