// Any bytes as a line of a file that a model is tested with.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "train/eval_item.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto item = plinth::train::read_eval_item(text);
  if (!item.ok()) {
    plinth::train::last_number(text);
    return 0;
  }
  const auto* choice = std::get_if<plinth::train::ChoiceItem>(&*item);
  if (choice != nullptr && choice->right >= choice->choices.size()) std::abort();
  // The answer itself is always right.
  const auto* answer = std::get_if<plinth::train::AnswerItem>(&*item);
  if (answer != nullptr && !plinth::train::is_right(*answer, answer->answer)) std::abort();
  return 0;
}
