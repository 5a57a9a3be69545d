// Any bytes as a grader's text: an error, or a text; what passes the check has all its brackets.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "api/openai/graders/grader_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const plinth::api::GradedSample sample({{"a", {1, "b"}}}, "{\"c\": null}");
  const bool checked = plinth::api::check_template(text).ok();
  const auto rendered = sample.render(text);
  if (rendered.ok() && !checked) std::abort();
  if (text.find("{{") == std::string_view::npos && (!rendered.ok() || *rendered != text))
    std::abort();
  return 0;
}
