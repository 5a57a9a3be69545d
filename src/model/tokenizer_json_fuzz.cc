// Any bytes as a tokenizer.json: an error, or a tokenizer whose stream shows what decode() gives.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "model/tokenize/tokenizer_json.h"
#include "model/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace plinth::model;
  auto spec = parse_tokenizer_json({reinterpret_cast<const char*>(data), size});
  if (!spec.ok()) return 0;
  const auto tokenizer = make_tokenizer(*std::move(spec));
  if (!tokenizer.ok()) return 0;
  for (const char* text :
       {"", " hello  World", "e\xCC\x81\xE4\xB8\xAD\xF0\x9F\x91\xA9 12.\n", "\xFF"}) {
    const auto ids = (*tokenizer)->encode(text, {true, true});
    if (!ids.ok()) continue;
    TextDecoder decoder(**tokenizer);
    std::string streamed;
    for (const TokenId id : *ids) streamed += decoder.push(id);
    streamed += decoder.finish();
    if (streamed != (*tokenizer)->decode(*ids)) std::abort();
  }
  return 0;
}
