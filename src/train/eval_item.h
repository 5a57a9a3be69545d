// One line of a file that a model is tested with. The format is what its fields say:
//   sentence_good, sentence_bad        which of two sentences is likelier: BLiMP
//   question, choices, answerKey       which answer is likeliest: ARC
//   question, answer                   a number, after reasoning: GSM8K
//   whatever finetune learns from      the answer itself, and of `text` how well it is predicted
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace plinth::train {

// The likeliest of the texts that may follow the context.
struct ChoiceItem {
  std::string context;  // "" = the texts stand alone
  std::vector<std::string> choices;
  std::size_t right = 0;
};

// What the model says next.
struct AnswerItem {
  std::string prompt;          // where messages are empty
  base::json::array messages;  // as chat templates take them
  base::json::value tools;     // null, or an array
  std::string answer;
  bool is_number = false;  // the last number of what is said counts
  std::vector<std::string> stop;
};

struct TextItem {
  std::string text;
};

using EvalItem = std::variant<ChoiceItem, AnswerItem, TextItem>;

// InvalidArgument names the field and how to mend it.
absl::StatusOr<EvalItem> read_eval_item(std::string_view line);

// The last number in a text, without commas and a trailing point; after "####" where that is there,
// as GSM8K's answers end (Cobbe et al., 2021). "" where there is none.
std::string last_number(std::string_view text);

// Whether what was said is the item's answer: equal but for space around it, or by last_number().
bool is_right(const AnswerItem& item, std::string_view said);

}  // namespace plinth::train
