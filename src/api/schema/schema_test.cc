#include <gtest/gtest.h>

#include "absl/strings/cord.h"
#include "api/schema/openapi_document.h"
#include "api/schema/validate.h"
#include "api/schema/values.h"
#include "protocol/generate.h"

namespace plinth::api {
namespace {

const Schema& thing() {
  static const Schema schema = object(
      "Thing",
      {required("model", string("").length(1, 4)),
       optional("n", integer(1, 10, "How many.").or_else(3)), extension("heat", number(0, 2, "")),
       optional("stop", one_of({string(""), array(string(""), 0, 2, "")}, "")),
       optional("parts", array(tagged("type",
                                      {object("",
                                              {required("type", one_string_of({"text"}, "")),
                                               required("text", string(""))},
                                              "")},
                                      {{"image", "no eyes"}}),
                               1, 4, "")),
       optional("bias",
                [] {
                  Schema bias = map(number(-1, 1, ""), 2, "");
                  bias.token_keys = true;
                  return bias;
                }()),
       ignored("user", string("")), unsupported("voice", {"none"}, "no mouth")},
      "A thing.");
  return schema;
}

struct Problem {
  std::string message, param, code;
};

Problem problem(const std::string& text, const ValidateOptions& options = {}) {
  const auto status = validate(thing(), base::parse_json(text).value(), options);
  const auto payload = [&](const char* key) {
    const auto value = status.GetPayload(key);
    return value ? std::string(*value) : std::string();
  };
  return {std::string(base::message(status)), payload(protocol::kParamPayload),
          payload(protocol::kCodePayload)};
}

TEST(Schema, AcceptsWhatIsDeclaredAndNullAsAbsent) {
  EXPECT_EQ(problem(R"({"model":"m","n":10,"heat":2,"stop":["a","b"],"user":"u"})").message, "");
  EXPECT_EQ(problem(R"({"model":"m","n":null,"stop":null,"voice":null})").message, "");
  EXPECT_EQ(problem(R"({"model":"m","n":10.0,"heat":1,"voice":"none"})").message, "");
}

TEST(Schema, SaysWhatIsWrongAndWhere) {
  const struct {
    const char *body, *message, *param, *code;
  } cases[] = {
      {R"({})", "Missing required parameter: 'model'.", "model", "missing_required_parameter"},
      {R"({"model":null})", "Missing required parameter: 'model'.", "model",
       "missing_required_parameter"},
      {R"({"model":"m","n":"2"})",
       "Invalid type for 'n': expected an integer, but got a string instead.", "n", "invalid_type"},
      {R"({"model":"m","n":1.5})",
       "Invalid type for 'n': expected an integer, but got a decimal number instead.", "n",
       "invalid_type"},
      {R"({"model":"m","n":0})",
       "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead.", "n",
       "integer_below_min_value"},
      {R"({"model":"m","n":18446744073709551615})",
       "Invalid 'n': integer above maximum value. Expected a value <= 10, but got "
       "18446744073709551615 instead.",
       "n", "integer_above_max_value"},
      {R"({"model":"m","heat":2.5})",
       "Invalid 'heat': decimal above maximum value. Expected a value <= 2, but got 2.5 instead.",
       "heat", "decimal_above_max_value"},
      {R"({"model":""})",
       "Invalid 'model': empty string. Expected a string with minimum length 1, but got an empty "
       "string instead.",
       "model", "empty_string"},
      {R"({"model":"m","stop":5})",
       "Invalid type for 'stop': expected one of a string or array of strings, but got an integer "
       "instead.",
       "stop", "invalid_type"},
      {R"({"model":"m","stop":["a",1]})",
       "Invalid type for 'stop[1]': expected a string, but got an integer instead.", "stop[1]",
       "invalid_type"},
      {R"({"model":"m","stop":["a","b","c"]})",
       "Invalid 'stop': array too long. Expected an array with maximum length 2, but got an array "
       "with length 3 instead.",
       "stop", "array_above_max_length"},
      {R"({"model":"m","parts":[{"type":"image"}]})",
       "Unsupported value: 'parts[0].type' does not support 'image': no eyes.", "parts[0].type",
       "unsupported_value"},
      {R"({"model":"m","parts":[{"type":"smell"}]})",
       "Invalid value: 'smell'. The only supported value is: 'text'.", "parts[0].type",
       "invalid_value"},
      {R"({"model":"m","parts":[{"type":"text","text":"t","x":1}]})",
       "Unknown parameter: 'parts[0].x'.", "parts[0].x", "unknown_parameter"},
      {R"({"model":"m","bias":{"a":1}})",
       "Invalid key in 'bias': a. You should only be submitting token ids.", "bias",
       "invalid_value"},
      {R"({"model":"m","voice":"alto"})",
       "Unsupported parameter: 'voice' is not supported: no mouth.", "voice",
       "unsupported_parameter"},
      {R"({"model":"m","smell":1})", "Unrecognized request argument supplied: smell", "", ""},
  };
  for (const auto& expected : cases) {
    const Problem found = problem(expected.body);
    EXPECT_EQ(found.message, expected.message) << expected.body;
    EXPECT_EQ(found.param, expected.param) << expected.body;
    EXPECT_EQ(found.code, expected.code) << expected.body;
  }
}

TEST(Schema, LengthsCountCharactersNotBytes) {
  EXPECT_EQ(problem(R"({"model":"häöü"})").message, "");
  EXPECT_EQ(problem(R"({"model":"häöüs"})").code, "string_above_max_length");
}

TEST(Schema, UnknownFieldsPassWhereTheServerIsToldSo) {
  EXPECT_EQ(problem(R"({"model":"m","smell":1})", {Direction::request, true}).message, "");
}

TEST(Schema, AnswersMayNotHaveUndeclaredFieldsOrStrayNulls) {
  const ValidateOptions answer{Direction::answer, false};
  EXPECT_NE(problem(R"({"model":"m","n":null})", answer).message, "");
  EXPECT_NE(problem(R"({"model":"m","smell":1})", answer).message, "");
}

TEST(Schema, AbsentFieldsReadAsTheirDeclaredDefault) {
  const auto document = base::parse_json(R"({"model":"m","heat":null})").value();
  const Values values(thing(), document.get_object());
  EXPECT_EQ(values.integer("n"), 3);
  EXPECT_EQ(values.given("n"), nullptr);
  EXPECT_EQ(values.find("heat"), nullptr);
  EXPECT_EQ(values.string("model"), "m");
}

TEST(Schema, WritesJsonSchema) {
  Operation operation;
  operation.method = "POST";
  operation.path = "/things/{id}";
  operation.id = "makeThing";
  operation.request = &thing();
  operation.answer = &error_schema();
  operation.errors = {400};
  const auto document = openapi_document({operation}, {"1", false});
  const auto& schema = document.at("components").at("schemas").at("Thing");
  EXPECT_EQ(schema.at("additionalProperties"), false);
  const auto& properties = schema.at("properties");
  EXPECT_EQ(base::to_json(properties.at("n")),
            R"({"description":"How many.","type":["integer","null"],"minimum":1,"maximum":10,)"
            R"("default":3})");
  EXPECT_EQ(properties.at("heat").at("x-plinth-support"), "extension");
  EXPECT_EQ(base::to_json(properties.at("voice").at("enum")), R"(["none",null])");
  EXPECT_EQ(base::to_json(schema.at("required")), R"(["model"])");
  const auto& post = document.at("paths").at("/things/{id}").at("post");
  EXPECT_EQ(post.at("parameters").at(0).at("name"), "id");
  EXPECT_EQ(
      post.at("responses").at("400").at("content").at("application/json").at("schema").at("$ref"),
      "#/components/schemas/Error");
  EXPECT_FALSE(openapi_document({operation}, {"1", true})
                   .at("components")
                   .at("schemas")
                   .at("Thing")
                   .as_object()
                   .contains("additionalProperties"));
}

}  // namespace
}  // namespace plinth::api
