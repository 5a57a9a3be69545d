// A document that claims to be CSV of FOCUS: findings or a refusal, never more findings than the
// bound, and cells that are read are written the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "governance/focus_export.h"
#include "governance/limits.h"
#include "governance/reports/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plinth::governance;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto findings = check_focus(text);
  if (findings.ok() && findings->size() > kFocusFindingsMax) std::abort();
  std::string written;
  const auto status = read_csv(text, [&](std::size_t, const std::vector<CsvCell>& cells) {
    written = csv_row(cells);
    std::vector<CsvCell> again;
    const auto second = read_csv(written, [&](std::size_t, const std::vector<CsvCell>& read) {
      again = read;
      return absl::OkStatus();
    });
    if (!second.ok() || again != cells) std::abort();
    return absl::OkStatus();
  });
  if (findings.ok() && !status.ok()) std::abort();
  return 0;
}
