#include "api/openai/sampling_fields.h"

#include <charconv>

#include "api/error_map.h"
#include "api/limits.h"

namespace plinth::api {

namespace {

const Schema& stream_options_schema() {
  static const Schema schema =
      object("StreamOptions",
             {optional("include_usage",
                       boolean("One more chunk, without choices, carries the usage; every other "
                               "chunk then has usage: null.")
                           .or_else(false)),
              optional("include_obfuscation",
                       boolean("Pads every chunk with a random field `obfuscation`, so that the "
                               "sizes of encrypted packets tell less about the text.")
                           .or_else(false))},
             "How a stream is told.");
  return schema;
}

}  // namespace

Field model_field() {
  return required(
      "model", string("The model to call, by its id in GET /v1/models.").length(1, kModelNameMax));
}

std::vector<Field> sampling_fields() {
  Schema bias = map(number(-100, 100, ""), kLogitBiasMax,
                    "Added to the logits of single tokens, by token id; -100 bans, 100 forces.");
  bias.token_keys = true;
  return {
      optional("temperature", number(0, 2,
                                     "0 = always the most likely token. This and the fields that "
                                     "narrow the choice default to what the model's makers "
                                     "suggest, where they do.")
                                  .or_else(1.0)),
      optional("top_p", number(0, 1,
                               "Keep the most likely tokens that together have this "
                               "probability.")
                            .or_else(1.0)),
      extension("top_k", integer(0, 1 << 22, "Keep the k most likely tokens; 0 = off.").or_else(0)),
      extension("min_p", number(0, 1,
                                "Drop tokens less likely than this share of the most likely "
                                "one.")
                             .or_else(0.0)),
      extension("typical_p", number(1e-6, 1, "Locally typical sampling; 1 = off.").or_else(1.0)),
      optional("presence_penalty",
               number(-2, 2, "Taken off the logits of every token that was produced already.")
                   .or_else(0.0)),
      optional("frequency_penalty",
               number(-2, 2, "The same, once for each time it was produced.").or_else(0.0)),
      extension("repetition_penalty",
                number(0.01, 100, "Divides the logits of tokens seen in prompt or output; 1 = off.")
                    .or_else(1.0)),
      optional("logit_bias", std::move(bias)),
      optional("seed", integer(INT64_MIN, INT64_MAX,
                               "Same request, same seed, same tokens on the same kind of "
                               "processor.")),
      optional("n", integer(1, kChoicesMax, "Choices for each prompt.").or_else(1)),
      optional("stop", one_of({string(""), array(string(""), 0, kStopMax, "")},
                              "Texts where a choice ends; they are never part of it.")),
      extension("ignore_eos", boolean("Goes on after the model's own end.").or_else(false)),
      ignored("user", string("Your end user's id.").length(0, kUserMax)),
  };
}

std::vector<Field> stream_fields() {
  return {optional("stream", boolean("Server-sent events instead of one document.").or_else(false)),
          optional("stream_options", stream_options_schema())};
}

namespace {

absl::Status read_stop(const Values& body, protocol::GenerateRequest& request) {
  const auto* stop = body.find("stop");
  if (stop == nullptr) return absl::OkStatus();
  if (stop->is_string()) {
    request.stop.emplace_back(stop->get_string());
  } else {
    for (const auto& text : stop->get_array()) request.stop.emplace_back(text.get_string());
  }
  // "" as the only stop is what some clients send for none.
  if (request.stop == std::vector<std::string>{""}) request.stop.clear();
  for (const auto& text : request.stop) {
    if (text.empty())
      return parameter_error(
          "Invalid 'stop': an empty string would end every answer before it "
          "begins.",
          "stop", "invalid_value");
  }
  return absl::OkStatus();
}

absl::Status read_logit_bias(const Values& body, protocol::SamplingParams& sampling) {
  const auto* bias = body.find("logit_bias");
  if (bias == nullptr) return absl::OkStatus();
  for (const auto& [key, number] : bias->get_object()) {
    std::int32_t token = 0;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), token);
    if (parsed.ec != std::errc())
      return parameter_error(
          "Invalid key in 'logit_bias': no vocabulary has a token with an id "
          "this large.",
          "logit_bias", "invalid_value");
    sampling.logit_bias.emplace_back(token, number.to_number<float>());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status read_sampling(const Values& body, protocol::GenerateRequest& request,
                           std::vector<std::string>& left_out) {
  auto& sampling = request.sampling;
  for (const auto name : protocol::sampling_default_names()) {
    if (body.given(name) == nullptr) left_out.emplace_back(name);
  }
  request.model = body.string("model");
  sampling.temperature = body.number("temperature");
  sampling.top_p = body.number("top_p");
  sampling.top_k = static_cast<std::int32_t>(body.integer("top_k"));
  // OpenAI accepts 0 and then takes the best token alone.
  if (sampling.top_p == 0) {
    sampling.top_p = 1;
    sampling.top_k = 1;
    std::erase(left_out, "top_k");
  }
  sampling.min_p = body.number("min_p");
  sampling.typical_p = body.number("typical_p");
  sampling.presence_penalty = body.number("presence_penalty");
  sampling.frequency_penalty = body.number("frequency_penalty");
  sampling.repetition_penalty = body.number("repetition_penalty");
  if (const auto* seed = body.find("seed"))
    sampling.seed = static_cast<std::uint64_t>(to_integer(*seed));
  request.n = static_cast<std::int32_t>(body.integer("n"));
  request.ignore_eos = body.boolean("ignore_eos");
  RETURN_IF_ERROR(read_logit_bias(body, sampling));
  return read_stop(body, request);
}

void apply_defaults(const protocol::SamplingDefaults& defaults,
                    const std::vector<std::string>& left_out, protocol::SamplingParams& sampling) {
  for (const auto& name : left_out) {
    const auto found = defaults.find(name);
    if (found != defaults.end()) protocol::set_sampling(sampling, name, found->second);
  }
}

absl::StatusOr<StreamOptions> read_stream_options(const Values& body) {
  StreamOptions options;
  options.stream = body.boolean("stream");
  const auto* given = body.find("stream_options");
  if (given == nullptr) return options;
  if (!options.stream) {
    return parameter_error(
        "The 'stream_options' parameter is only allowed when 'stream' is "
        "enabled.",
        "stream_options");
  }
  const Values inner(stream_options_schema(), given->get_object());
  options.include_usage = inner.boolean("include_usage");
  options.include_obfuscation = inner.boolean("include_obfuscation");
  return options;
}

}  // namespace plinth::api
