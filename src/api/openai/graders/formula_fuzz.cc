// Any bytes as a formula: an error, or what has one value for the same numbers.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "api/openai/graders/formula.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto formula = plinth::api::Formula::parse(text);
  if (!formula.ok()) return 0;
  std::map<std::string, double> values;
  for (const auto& name : formula->names()) values[name] = 0.5;
  const auto first = formula->value(values), second = formula->value(values);
  if (first.ok() != second.ok() || (first.ok() && *first != *second)) std::abort();
  if (!values.empty() && formula->value({}).ok()) std::abort();
  return 0;
}
