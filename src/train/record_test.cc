#include "train/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plinth::train {
namespace {

using testing::HasSubstr;

ChatRecord chat(std::string_view line) {
  auto record = read_record(line);
  EXPECT_TRUE(record.ok()) << record.status();
  return record.ok() ? std::get<ChatRecord>(*std::move(record)) : ChatRecord{};
}

std::string error(std::string_view line) {
  const auto record = read_record(line);
  EXPECT_FALSE(record.ok()) << line;
  return std::string(base::message(record.status()));
}

std::string text(const base::json::value& message, std::string_view field) {
  return std::string(message.as_object().at(field).as_string());
}

TEST(Record, ChatsAreAsTemplatesTakeThem) {
  const auto record =
      chat(R"({"messages":[{"role":"developer","content":"be brief"},)"
           R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},)"
           R"({"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",)"
           R"("function":{"name":"f","arguments":"{\"x\":1}"}}]},)"
           R"({"role":"tool","tool_call_id":"1","content":"2"},)"
           R"({"role":"assistant","content":"done","weight":0}],)"
           R"("tools":[{"type":"function","function":{"name":"f"}}]})");
  ASSERT_EQ(record.messages.size(), 5u);
  EXPECT_EQ(text(record.messages[0], "role"), "system");
  EXPECT_EQ(text(record.messages[1], "content"), "ab");
  const auto& call = record.messages[2].at("tool_calls").at(0).at("function");
  EXPECT_EQ(call.at("arguments").at("x").as_int64(), 1);
  EXPECT_EQ(record.tools.as_array().size(), 1u);
}

TEST(Record, OtherFormatsToo) {
  const auto alpaca = chat(R"({"instruction":"add","input":"1 2","output":"3"})");
  EXPECT_EQ(text(alpaca.messages[0], "content"), "add\n\n1 2");
  EXPECT_EQ(text(alpaca.messages[1], "role"), "assistant");
  const auto shared =
      chat(R"({"conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"ho"}]})");
  EXPECT_EQ(text(shared.messages[0], "role"), "user");
  EXPECT_EQ(text(shared.messages[1], "content"), "ho");
  const auto completion = read_record(R"({"prompt":"a","completion":"b"})");
  ASSERT_TRUE(completion.ok());
  EXPECT_EQ(std::get<CompletionRecord>(*completion).completion, "b");
  const auto plain = read_record(R"({"text":"once"})");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(std::get<TextRecord>(*plain).text, "once");
}

TEST(Record, PreferencesAreTwoChats) {
  for (const std::string field : {"output", "completion"}) {
    const auto record =
        read_record(R"({"input":{"messages":[{"role":"user","content":"a"},)"
                    R"({"role":"assistant","content":"b"},{"role":"user","content":"c"}],)"
                    R"("tools":[{"type":"function"}]},"preferred_)" +
                    field + R"(":[{"role":"assistant","content":"d"}],"non_preferred_)" + field +
                    R"(":[{"role":"assistant","content":"e"}]})");
    ASSERT_TRUE(record.ok()) << record.status();
    const auto& pair = std::get<PreferenceRecord>(*record);
    ASSERT_EQ(pair.preferred.messages.size(), 4u);
    EXPECT_EQ(pair.preferred.messages[1].at("weight").as_int64(), 0);
    EXPECT_EQ(text(pair.preferred.messages[3], "content"), "d");
    EXPECT_EQ(text(pair.other.messages[3], "content"), "e");
    EXPECT_EQ(pair.other.tools.as_array().size(), 1u);
  }
}

TEST(Record, ErrorsOfPreferencesToo) {
  const std::string input = R"({"input":{"messages":[{"role":"user","content":"a"}]},)";
  const std::string answer = R"([{"role":"assistant","content":"b"}])";
  EXPECT_THAT(error(R"({"preferred_output":)" + answer + "}"), HasSubstr("`input` is no object"));
  EXPECT_THAT(error(R"({"input":{},"preferred_output":)" + answer + "}"),
              HasSubstr("`input.messages`"));
  EXPECT_THAT(error(input + R"("preferred_output":)" + answer + "}"),
              HasSubstr("`non_preferred_output` is no list of messages"));
  EXPECT_THAT(error(input + R"("preferred_output":[{"role":"user","content":"b"}],)" +
                    R"("non_preferred_output":)" + answer + "}"),
              HasSubstr("`preferred_output` has no message of the assistant"));
  EXPECT_THAT(error(input + R"("preferred_output":[{"role":"assistant","content":""}],)" +
                    R"("non_preferred_output":)" + answer + "}"),
              HasSubstr("`preferred_output[0].content` is empty"));
  EXPECT_THAT(error(R"({"input":{"messages":[{"role":"cat","content":"a"}]},"preferred_output":)" +
                    answer + R"(,"non_preferred_output":)" + answer + "}"),
              HasSubstr("`input.messages[0].role`"));
  EXPECT_THAT(error(input + R"("preferred_output":)" + answer + R"(,"non_preferred_output":)" +
                    answer + "}"),
              HasSubstr("the same"));
}

TEST(Record, ErrorsNameTheFieldAndTheCure) {
  EXPECT_THAT(error("nonsense"), HasSubstr("no JSON"));
  EXPECT_THAT(error("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(error("{}"), HasSubstr("`messages`"));
  EXPECT_THAT(error(R"({"messages":[]})"), HasSubstr("`messages`"));
  EXPECT_THAT(error(R"({"messages":[7]})"), HasSubstr("`messages[0]`"));
  EXPECT_THAT(error(R"({"messages":[{"content":"a"}]})"), HasSubstr("`messages[0].role`"));
  EXPECT_THAT(error(R"({"messages":[{"role":"robot","content":"a"}]})"), HasSubstr("\"robot\""));
  EXPECT_THAT(error(R"({"messages":[{"role":"user","content":"a"}]})"),
              HasSubstr("no message of the assistant"));
  EXPECT_THAT(error(R"({"messages":[{"role":"user","content":"a"},)"
                    R"({"role":"assistant","content":""}]})"),
              HasSubstr("`messages[1].content` is empty"));
  EXPECT_THAT(error(R"({"messages":[{"role":"user","content":"a","weight":1}]})"),
              HasSubstr("`messages[0].weight`"));
  EXPECT_THAT(error(R"({"messages":[{"role":"assistant","content":"a","weight":2}]})"),
              HasSubstr("0 or 1"));
  EXPECT_THAT(error(R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})"),
              HasSubstr("`messages[0].content[0]`"));
  EXPECT_THAT(error(R"({"messages":[{"role":"assistant","tool_calls":[{"function":)"
                    R"({"name":"f","arguments":"{"}}]}]})"),
              HasSubstr("`messages[0].tool_calls[0].function.arguments`"));
  EXPECT_THAT(error(R"({"prompt":"a","completion":""})"), HasSubstr("`completion` is empty"));
  EXPECT_THAT(error(R"({"instruction":"a"})"), HasSubstr("`output` is missing"));
  EXPECT_THAT(error(R"({"conversations":[{"from":"cat","value":"a"}]})"), HasSubstr("\"cat\""));
  EXPECT_THAT(error(R"({"text":3})"), HasSubstr("`text` is not text"));
}

}  // namespace
}  // namespace plinth::train
