#include "api/openai/graders/grader_schema.h"

#include "api/openai/graders/grader_limits.h"

namespace plinth::api {

namespace {

Field type_field(const char* type) { return required("type", one_string_of({type}, "")); }
Field name_field() {
  return required("name", string("Of the grader, in what it answers.").length(1, kGraderNameMax));
}
Schema text(const char* doc) { return string(doc).length(0, kGradedBytesMax); }

Schema string_check() {
  return object("StringCheckGrader",
                {type_field("string_check"), name_field(),
                 required("input", text("A text with {{ item.x }} and {{ sample.output_text }}.")),
                 required("reference", text("Likewise.")),
                 required("operation",
                          one_string_of({"eq", "ne", "like", "ilike"},
                                        "like: whether the input has the reference in it; ilike: "
                                        "whatever the case."))},
                "1 or 0.");
}

Schema text_similarity() {
  return object(
      "TextSimilarityGrader",
      {type_field("text_similarity"), name_field(), required("input", text("As string_check's.")),
       required("reference", text("Likewise.")),
       required("evaluation_metric",
                one_string_of({"fuzzy_match", "bleu", "gleu", "meteor", "rouge_1", "rouge_2",
                               "rouge_3", "rouge_4", "rouge_5", "rouge_l", "cosine"},
                              "cosine is refused: it names no model for embeddings."))},
      "From 0 to 1.");
}

Schema message_content() {
  const auto part = tagged(
      "type",
      {object("GraderInputText",
              {required("type", one_string_of({"input_text"}, "")), required("text", text(""))},
              ""),
       object("GraderOutputText",
              {required("type", one_string_of({"output_text"}, "")), required("text", text(""))},
              "")},
      {{"input_image", "the models served here read text"},
       {"input_audio", "the models served here read text"}});
  return one_of({text(""), array(part, 1, kGraderMessagesMax, "")}, "Texts with variables.");
}

Schema score_model() {
  const auto message =
      object("GraderMessage",
             {required("role", one_string_of({"user", "assistant", "system", "developer"}, "")),
              required("content", message_content()),
              optional("type", one_string_of({"message"}, "").or_else("message"))},
             "");
  const auto sampling = object(
      "GraderSampling",
      {optional("temperature", number(0, 2, "").or_else(0)),
       optional("top_p", number(0, 1, "").or_else(1)), optional("seed", integer(0, INT64_MAX, "")),
       optional("max_completions_tokens", integer(1, kScoreTokensMax, "").or_else(kScoreTokensMax)),
       unsupported("reasoning_effort", {}, "no model here reasons by degrees")},
      "");
  return object("ScoreModelGrader",
                {type_field("score_model"), name_field(),
                 required("model", string("Of this service; it says a number.").length(1, 200)),
                 required("input", array(message, 1, kGraderMessagesMax, "")),
                 optional("range", array(number(-1e6, 1e6, ""), 2, 2, "From and to; 0 and 1.")),
                 optional("sampling_params", sampling)},
                "What a model makes of the sample, within a range.");
}

std::vector<std::pair<std::string, std::string>> refused() {
  return {{"python", "no code of others runs here"},
          {"label_model", "it grades evaluations, not fine-tuning"}};
}

Schema grader() {
  const auto one = tagged("type", {string_check(), text_similarity(), score_model()}, refused());
  const auto multi = object(
      "MultiGrader",
      {type_field("multi"), name_field(),
       required("graders", map(one, kSubGradersMax, "By the names that the formula has for them.")),
       required("calculate_output",
                string("A formula over these names.").length(1, kFormulaBytesMax))},
      "One number of several graders.");
  return tagged("type", {string_check(), text_similarity(), score_model(), multi}, refused());
}

Schema flag(const char* doc) { return boolean(doc); }

Schema errors() {
  return object(
      "GraderErrors",
      {required("formula_parse_error", flag("calculate_output is no formula, or has no value.")),
       required("invalid_variable_error", flag("A text names what is not there.")),
       required("sample_parse_error", flag("output_json was asked for, and the sample is none.")),
       required("model_grader_parse_error", flag("The model said no number of the range.")),
       required("model_grader_refusal_error", flag("Its answer was filtered.")),
       required("model_grader_server_error", flag("")),
       required("model_grader_server_error_details", string("").or_null()),
       required("other_error", flag("A text is too long to be compared.")),
       required("python_grader_runtime_error", flag("")),
       required("python_grader_runtime_error_details", string("").or_null()),
       required("python_grader_server_error", flag("")),
       required("python_grader_server_error_type", string("").or_null()),
       required("truncated_observation_error", flag("")),
       required("unresponsive_reward_error", flag(""))},
      "What went wrong; the reward counts where nothing did.");
}

}  // namespace

const Schema& grader_run_request_schema() {
  static const Schema schema =
      object("RunGrader",
             {required("grader", grader()), required("model_sample", text("What is graded.")),
              optional("item", any("The example that it belongs to, as {{ item }}."))},
             "");
  return schema;
}

const Schema& grader_run_schema() {
  static const Schema schema = object(
      "GraderRun",
      {required("reward", number(-1e308, 1e308, "0 where there was an error.")),
       required("metadata",
                object("GraderRunMetadata",
                       {required("name", string("")), required("type", string("")),
                        required("errors", errors()),
                        required("execution_time", number(0, 1e308, "Seconds.")),
                        required("scores", map(number(-1e308, 1e308, ""), SIZE_MAX, "By grader.")),
                        required("token_usage", integer(0, INT64_MAX, "").or_null()),
                        required("sampled_model_name", string("").or_null())},
                       "")),
       required("sub_rewards", map(number(-1e308, 1e308, ""), SIZE_MAX, "Of a multi grader.")),
       required("model_grader_token_usage_per_model", map(any(""), SIZE_MAX, ""))},
      "");
  return schema;
}

const Schema& grader_validate_request_schema() {
  static const Schema schema = object("ValidateGrader", {required("grader", grader())}, "");
  return schema;
}

const Schema& grader_validate_schema() {
  static const Schema schema =
      object("GraderValidation", {required("grader", any("As it was sent."))}, "");
  return schema;
}

}  // namespace plinth::api
