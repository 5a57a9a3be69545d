// Any bytes as a line of a file of examples.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "train/record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto record = plinth::train::read_record({reinterpret_cast<const char*>(data), size});
  if (!record.ok()) return 0;
  const auto* chat = std::get_if<plinth::train::ChatRecord>(&*record);
  if (const auto* pair = std::get_if<plinth::train::PreferenceRecord>(&*record)) {
    // Both go on from the same, and differ.
    if (pair->preferred.messages == pair->other.messages) std::abort();
    chat = &pair->preferred;
  }
  // What a template is given has text for contents and objects for arguments.
  for (std::size_t i = 0; chat != nullptr && i < chat->messages.size(); ++i) {
    if (!chat->messages[i].at("content").is_string()) std::abort();
  }
  return 0;
}
