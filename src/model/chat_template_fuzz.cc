// Any bytes as a template, rendered within small bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "model/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  plinth::model::TemplateLimits limits;
  limits.steps_max = 20'000;
  limits.output_bytes_max = 1 << 16;
  const auto parsed =
      plinth::model::ChatTemplate::parse({reinterpret_cast<const char*>(data), size}, limits);
  if (!parsed.ok()) return 0;
  const auto variables = plinth::base::parse_json(
      R"({"messages":[{"role":"user","content":"hi"}],"tools":null,"add_generation_prompt":true})");
  const auto prompt = parsed->render(variables->as_object(), 0);
  if (!prompt.ok()) return 0;
  std::size_t done = 0;
  for (const auto& span : prompt->foreign) {
    if (span.begin < done || span.end <= span.begin || span.end > prompt->text.size()) std::abort();
    done = span.end;
  }
  return 0;
}
