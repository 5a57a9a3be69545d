#include "api/openai/moderations.h"

#include <fmt/format.h>

#include <array>

#include "api/error_map.h"
#include "api/limits.h"
#include "api/openai/admin/listing.h"
#include "api/schema/values.h"
#include "base/check.h"
#include "governance/content_filter.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using governance::ContentCategory;
using governance::Severity;

constexpr char kModel[] = "plinth-lists";

// OpenAI's names, and which of the lists' categories says something of them: those of the others
// are always false.
struct Name {
  const char* name;
  std::optional<ContentCategory> category;
};
constexpr std::array kNames{
    Name{"harassment", std::nullopt},
    Name{"harassment/threatening", std::nullopt},
    Name{"hate", ContentCategory::hate},
    Name{"hate/threatening", std::nullopt},
    Name{"illicit", std::nullopt},
    Name{"illicit/violent", std::nullopt},
    Name{"self-harm", ContentCategory::self_harm},
    Name{"self-harm/instructions", std::nullopt},
    Name{"self-harm/intent", std::nullopt},
    Name{"sexual", ContentCategory::sexual},
    Name{"sexual/minors", std::nullopt},
    Name{"violence", ContentCategory::violence},
    Name{"violence/graphic", std::nullopt},
};

// Lists know four steps and no probabilities.
double score_of(Severity severity) {
  switch (severity) {
    case Severity::safe:
      return 0;
    case Severity::low:
      return 0.25;
    case Severity::medium:
      return 0.5;
    case Severity::high:
      break;
  }
  return 1;
}

// Immutable, and the same for everybody.
const governance::ContentFilter& filter() {
  static const auto compiled =
      governance::ContentFilter::compile(governance::default_content_policy());
  CHECK(compiled.ok());
  return **compiled;
}

Object result_of(const std::string& text) {
  const auto verdict =
      governance::check_text(filter(), governance::ContentSource::prompt, text).verdict;
  Object categories, scores, inputs;
  bool flagged = false;
  for (const auto& [name, category] : kNames) {
    const auto severity =
        category ? verdict.categories[governance::index_of(*category)].severity : Severity::safe;
    const bool found = severity >= Severity::medium;
    flagged = flagged || found;
    categories[name] = found;
    scores[name] = score_of(severity);
    inputs[name] = base::json::array{"text"};
  }
  return {{"flagged", flagged},
          {"categories", std::move(categories)},
          {"category_scores", std::move(scores)},
          {"category_applied_input_types", std::move(inputs)}};
}

// A list of texts gets a result each; parts are one input together.
absl::StatusOr<std::vector<std::string>> texts_of(const base::json::value& input) {
  if (input.is_string()) return std::vector{std::string(input.get_string())};
  std::vector<std::string> texts;
  std::string joined;
  std::size_t index = 0;
  for (const auto& item : input.get_array()) {
    if (item.is_string()) {
      texts.emplace_back(item.get_string());
    } else {
      joined += std::string_view(item.get_object().at("text").get_string());
      joined += '\n';
    }
    ++index;
  }
  if (!joined.empty() && !texts.empty()) {
    return parameter_error("Invalid 'input': a list has either texts or parts.", "input",
                           "invalid_type");
  }
  if (!joined.empty()) texts.push_back(std::move(joined));
  return texts;
}

absl::Status check_size(const std::vector<std::string>& texts) {
  std::size_t bytes = 0;
  for (const auto& text : texts) bytes += text.size();
  if (bytes <= kModerationBytesMax) return absl::OkStatus();
  return parameter_error(
      fmt::format("Invalid 'input': at most {} bytes of text at once.", kModerationBytesMax),
      "input", "string_above_max_length");
}

}  // namespace

const Schema& moderation_request_schema() {
  static const Schema schema = object(
      "CreateModerationRequest",
      {required("input",
                one_of({string("One text."),
                        array(one_of({string(""),
                                      tagged("type",
                                             {object("",
                                                     {required("type", one_string_of({"text"}, "")),
                                                      required("text", string(""))},
                                                     "")},
                                             {{"image_url", "no list here sees"}})},
                                     ""),
                              1, kModerationInputsMax, "Texts, or the parts of one input.")},
                       "")),
       optional("model", one_string_of({kModel, "omni-moderation-latest", "text-moderation-latest",
                                        "text-moderation-stable"},
                                       "Whichever is asked for, lists answer.")
                             .or_else(kModel))},
      "");
  return schema;
}

const Schema& moderation_answer_schema() {
  static const Schema schema = object(
      "Moderation",
      {required("id", string("")), required("model", string("")),
       required("results",
                array(object("",
                             {required("flagged", boolean("")),
                              required("categories", map(boolean(""), SIZE_MAX, "")),
                              required("category_scores",
                                       map(number(0, 1, "0, 0.25, 0.5 or 1: lists know no more."),
                                           SIZE_MAX, "")),
                              required("category_applied_input_types", map(any(""), SIZE_MAX, ""))},
                             ""),
                      0, SIZE_MAX, ""))},
      "");
  return schema;
}

void create_moderation(const ExchangePtr& exchange) {
  answer(exchange, [&]() -> absl::StatusOr<Object> {
    ASSIGN_OR_RETURN(const auto body, read_body(*exchange, moderation_request_schema()));
    ASSIGN_OR_RETURN(const auto texts, texts_of(body.at("input")));
    RETURN_IF_ERROR(check_size(texts));
    base::json::array results;
    for (const auto& text : texts) results.push_back(result_of(text));
    return Object{{"id", next_id(exchange->services().clock, "modr-")},
                  {"model", kModel},
                  {"results", std::move(results)}};
  }());
}

}  // namespace plinth::api
