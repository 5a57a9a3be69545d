// Any bytes as a trace: an error, or a workload whose own trace is the same workload.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "apps/serve/trace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto workload = plinth::serve::parse_trace(text);
  if (!workload.ok()) return 0;
  const auto written = plinth::serve::to_trace(*workload);
  const auto again = plinth::serve::parse_trace(written);
  if (!again.ok() || plinth::serve::to_trace(*again) != written) std::abort();
  return 0;
}
