// Any bytes as a line of a training process, or as a task: an error, or what says the same again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "apps/tuning_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  if (const auto report = plinth::parse_report(line); report.ok()) {
    const auto again = plinth::parse_report(plinth::to_line(*report));
    if (!again.ok() || again->event != report->event || again->fields != report->fields)
      std::abort();
  }
  if (const auto task = plinth::parse_task(line); task.ok()) {
    const auto written = plinth::to_line(*task);
    const auto again = plinth::parse_task(written);
    if (!again.ok() || plinth::to_line(*again) != written) std::abort();
  }
  return 0;
}
