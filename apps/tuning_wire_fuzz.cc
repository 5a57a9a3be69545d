// Any bytes as a line of a training process, or as a task: an error, or what says the same again.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "apps/tuning_wire.h"
#include "base/json.h"

namespace {

// The parser reads a number of many digits to its last bit or one beside it.
bool is_same(const plinth::base::json::value& a, const plinth::base::json::value& b) {
  if (a.is_double() && b.is_number()) {
    const double x = a.get_double(), y = b.to_number<double>();
    return x == y || std::abs(x - y) <= 1e-15 * std::abs(x) * 4;
  }
  if (a.is_array() && b.is_array()) {
    const auto &x = a.get_array(), &y = b.get_array();
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), is_same);
  }
  if (a.is_object() && b.is_object()) {
    const auto &x = a.get_object(), &y = b.get_object();
    return x.size() == y.size() && std::all_of(x.begin(), x.end(), [&y](const auto& member) {
             const auto* other = y.if_contains(member.key());
             return other != nullptr && is_same(member.value(), *other);
           });
  }
  return a == b;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  if (const auto report = plinth::parse_report(line); report.ok()) {
    const auto again = plinth::parse_report(plinth::to_line(*report));
    if (!again.ok() || again->event != report->event || !is_same(report->fields, again->fields))
      std::abort();
  }
  if (const auto task = plinth::parse_task(line); task.ok()) {
    const auto written = plinth::to_line(*task);
    const auto again = plinth::parse_task(written);
    if (!again.ok() || !is_same(*plinth::base::parse_json(written),
                                *plinth::base::parse_json(plinth::to_line(*again))))
      std::abort();
  }
  return 0;
}
