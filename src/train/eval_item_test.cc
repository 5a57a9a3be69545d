#include "train/eval_item.h"

#include <gmock/gmock.h>

namespace plinth::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename Item>
Item read(const char* line) {
  auto item = read_eval_item(line);
  EXPECT_TRUE(item.ok()) << item.status();
  return item.ok() && std::holds_alternative<Item>(*item) ? std::get<Item>(*item) : Item{};
}

TEST(EvalItem, TwoSentences) {
  const auto item = read<ChoiceItem>(
      R"({"sentence_good": "Cats sleep.", "sentence_bad": "Cats sleeps.", "UID": "x"})");
  EXPECT_THAT(item.choices, ElementsAre("Cats sleep.", "Cats sleeps."));
  EXPECT_EQ(item.right, 0u);
  EXPECT_EQ(item.context, "");
}

TEST(EvalItem, ChoicesInEveryForm) {
  for (const char* line :
       {R"({"question": "2 + 2?", "choices": {"text": ["3", "4"], "label": ["1", "2"]},
             "answerKey": "2"})",
        R"({"question": {"stem": "2 + 2?", "choices": [{"text": "3", "label": "A"},
              {"text": "4", "label": "B"}]}, "answerKey": "B"})",
        R"({"question": "2 + 2?", "choices": ["3", "4"], "answerKey": "B"})"}) {
    const auto item = read<ChoiceItem>(line);
    EXPECT_EQ(item.context, "Question: 2 + 2?\nAnswer:");
    EXPECT_THAT(item.choices, ElementsAre(" 3", " 4"));
    EXPECT_EQ(item.right, 1u) << line;
  }
}

TEST(EvalItem, AnswersThatAreNumbers) {
  const auto item =
      read<AnswerItem>(R"({"question": "How many?", "answer": "6 * 3 = 18 of 1,000\n#### 1,018"})");
  EXPECT_EQ(item.answer, "1018");
  EXPECT_TRUE(is_right(item, "They are 2 and 16, so it is 1,018."));
  EXPECT_TRUE(is_right(item, "So #### 1018\nQuestion: what is 5?"));
  EXPECT_TRUE(is_right(item, "$1018.00"));
  EXPECT_FALSE(is_right(item, "1018 and then 7"));
  EXPECT_FALSE(is_right(item, "none"));
  EXPECT_EQ(last_number("it is -3.50,"), "-3.5");
  EXPECT_EQ(last_number("a, 7"), "7");
  EXPECT_EQ(last_number("...5"), "5");
}

TEST(EvalItem, WhatIsLearntIsAsked) {
  const auto chat = read<AnswerItem>(
      R"({"messages": [
             {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]})");
  EXPECT_EQ(chat.messages.size(), 1u);
  EXPECT_TRUE(is_right(chat, " Ho\n"));
  EXPECT_FALSE(is_right(chat, "ho"));
  EXPECT_EQ(read<AnswerItem>(R"({"prompt": "a", "completion": " b"})").prompt, "a");
  EXPECT_EQ(read<TextItem>(R"({"text": "abc"})").text, "abc");
}

TEST(EvalItem, ErrorsNameTheField) {
  for (const auto& [line, said] : std::vector<std::pair<const char*, const char*>>{
           {"[1]", "no JSON object"},
           {"{", "no JSON"},
           {R"({"sentence_good": "a"})", "`sentence_bad`"},
           {R"({"question": "a", "choices": ["b"], "answerKey": "A"})", "2 to"},
           {R"({"question": "a", "choices": ["b", 3], "answerKey": "A"})", "`choices[1]`"},
           {R"({"question": "a", "choices": ["b", "c"], "answerKey": "D"})", "A, B"},
           {R"({"question": "a", "answerKey": "D"})", "`choices` is missing"},
           {R"({"question": "a", "answer": "no"})", "no number"},
           {R"({"messages": [{"role": "assistant", "content": "a"},
                 {"role": "user", "content": "b"}]})",
            "not the assistant's"},
           {R"({"other": 1})", "none of"}}) {
    EXPECT_THAT(std::string(read_eval_item(line).status().message()), HasSubstr(said)) << line;
  }
}

}  // namespace
}  // namespace plinth::train
