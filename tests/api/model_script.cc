#include "model_script.h"

#include <fmt/format.h>

#include <cmath>
#include <sstream>

#include "absl/strings/cord.h"

namespace plinth::tests {

namespace {

using protocol::PositionLogprobs;
using protocol::TokenLogprob;

// ["token", -0.5] or ["token", null]
TokenLogprob token_of(const base::json::value& pair) {
  TokenLogprob token;
  std::string bytes;
  // \xNN in a token's text stands for one byte.
  const std::string text(pair.at(0).as_string());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "\\x") == 0) {
      bytes += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      bytes += text[i];
    }
  }
  token.bytes = bytes;
  token.has_logprob = !pair.at(1).is_null();
  if (pair.at(1) == "-inf")
    token.logprob = -INFINITY;
  else if (token.has_logprob)
    token.logprob = pair.at(1).to_number<float>();
  return token;
}

// [["token", -0.5, [["other", -1.0], ...]], ...]
std::vector<PositionLogprobs> positions_of(const base::json::value& list) {
  std::vector<PositionLogprobs> positions;
  for (const auto& entry : list.as_array()) {
    auto& position = positions.emplace_back();
    position.chosen = token_of(entry);
    if (entry.as_array().size() < 3) continue;
    for (const auto& top : entry.at(2).as_array()) position.top.push_back(token_of(top));
  }
  return positions;
}

// The rest of a line: JSON values, one after the other.
std::vector<base::json::value> values_of(std::istringstream& in) {
  std::string rest;
  std::getline(in, rest);
  std::vector<base::json::value> values;
  base::json::stream_parser parser;
  std::size_t at = 0;
  while (at < rest.size()) {
    if (rest[at] == ' ') {
      ++at;
      continue;
    }
    parser.reset();
    at += parser.write_some(rest.data() + at, rest.size() - at);
    if (!parser.done()) parser.finish();
    values.push_back(parser.release());
  }
  return values;
}

absl::Status status_of(const std::vector<base::json::value>& values) {
  const std::string code(values.at(0).as_string());
  const auto message = base::to_absl(std::string_view(values.at(1).as_string()));
  absl::Status status = absl::InternalError(message);
  for (int i = 1; i <= 16; ++i) {
    const auto candidate = static_cast<absl::StatusCode>(i);
    if (absl::StatusCodeToString(candidate) == code) status = absl::Status(candidate, message);
  }
  const auto payload = [&](std::size_t index, const char* key) {
    if (values.size() > index)
      status.SetPayload(key, absl::Cord(std::string(values[index].as_string())));
  };
  payload(2, protocol::kParamPayload);
  payload(3, protocol::kCodePayload);
  return status;
}

protocol::Usage usage_of(std::istringstream& in) {
  protocol::Usage usage;
  in >> usage.prompt_tokens >> usage.completion_tokens >> usage.cached_tokens;
  return usage;
}

}  // namespace

absl::Status add_model_line(const std::string& line, std::vector<cluster::FakeReplica>& scripts) {
  std::istringstream in(line);
  std::string word;
  in >> word;
  if (word == "next" || scripts.empty()) scripts.emplace_back();
  auto& script = scripts.back();
  const auto step = [&](protocol::GenerateEvent event) { script.steps.push_back({event}); };
  if (word == "prompt") {
    protocol::Admitted admitted;
    in >> admitted.prompt_tokens >> admitted.cached_tokens;
    admitted.system_fingerprint = "fp_fake";
    step(admitted);
  } else if (word == "text") {
    protocol::Delta delta;
    in >> delta.index;
    const auto values = values_of(in);
    delta.text = values.at(0).as_string();
    delta.tokens = 1;
    if (values.size() > 1) delta.logprobs = positions_of(values[1]);
    step(delta);
  } else if (word == "end") {
    protocol::ChoiceEnd end;
    std::string reason;
    in >> end.index >> reason;
    end.reason = reason == "length" ? protocol::FinishReason::length : protocol::FinishReason::stop;
    step(end);
  } else if (word == "done") {
    step(protocol::Finished{absl::OkStatus(), usage_of(in)});
  } else if (word == "fails") {
    const auto status = status_of(values_of(in));
    script.embedding = status;
    step(protocol::Finished{status, {}});
  } else if (word == "pins") {
    in >> script.prompt_tokens >> script.pinned;
    if (std::int32_t left = 0; in >> left) script.pinned_left = left;
  } else if (word == "hangs") {
    script.hangs = true;
  } else if (word == "vectors") {
    protocol::EmbedResult result;
    in >> result.usage.prompt_tokens;
    for (const auto& row : values_of(in)) {
      result.dimensions = static_cast<std::int32_t>(row.as_array().size());
      for (const auto& number : row.as_array())
        result.vectors.push_back(number == "inf" ? INFINITY : number.to_number<float>());
    }
    script.embedding = std::move(result);
  } else if (word != "next") {
    return base::invalid_argument("unknown: model " + word);
  }
  return absl::OkStatus();
}

namespace {

base::json::value json_or_null(const std::string& text) {
  return text.empty() ? base::json::value(nullptr) : base::parse_json(text).value();
}

base::json::value prompt_json(const protocol::Prompt& prompt) {
  if (const auto* chat = std::get_if<protocol::ChatPrompt>(&prompt)) {
    return base::json::object{{"messages", json_or_null(chat->messages_json)},
                              {"tools", json_or_null(chat->tools_json)},
                              {"template_kwargs", json_or_null(chat->template_kwargs_json)}};
  }
  if (const auto* tokens = std::get_if<protocol::TokenPrompt>(&prompt))
    return base::json::array(tokens->tokens.begin(), tokens->tokens.end());
  return base::json::string(std::get<protocol::TextPrompt>(prompt).text);
}

}  // namespace

base::json::object asked_json(const protocol::GenerateRequest& request) {
  const auto& sampling = request.sampling;
  base::json::object bias;
  for (const auto& [token, value] : sampling.logit_bias) bias[std::to_string(token)] = value;
  base::json::object out{{"model", request.model},
                         {"prompt", prompt_json(request.prompt)},
                         {"temperature", sampling.temperature},
                         {"top_p", sampling.top_p},
                         {"top_k", sampling.top_k},
                         {"min_p", sampling.min_p},
                         {"typical_p", sampling.typical_p},
                         {"presence_penalty", sampling.presence_penalty},
                         {"frequency_penalty", sampling.frequency_penalty},
                         {"repetition_penalty", sampling.repetition_penalty},
                         {"logit_bias", std::move(bias)},
                         {"seed", nullptr},
                         {"n", request.n},
                         {"max_tokens", nullptr},
                         {"stop", base::json::array(request.stop.begin(), request.stop.end())},
                         {"ignore_eos", request.ignore_eos},
                         {"logprobs", request.logprobs},
                         {"top_logprobs", request.top_logprobs},
                         {"echo", request.echo},
                         {"prompt_logprobs", request.prompt_logprobs},
                         {"ignore_prefix_cache", request.ignore_prefix_cache},
                         {"cache_salt", request.cache_salt},
                         {"tenant", request.tenant},
                         {"tenant_weight", request.tenant_weight},
                         {"batch", request.service_class == protocol::ServiceClass::batch}};
  if (sampling.seed) out["seed"] = static_cast<std::int64_t>(*sampling.seed);
  if (request.max_tokens) out["max_tokens"] = *request.max_tokens;
  return out;
}

base::json::object asked_json(const protocol::EmbedRequest& request) {
  base::json::array inputs;
  for (const auto& input : request.inputs) {
    inputs.push_back(std::visit(
        [](const auto& prompt) { return prompt_json(protocol::Prompt(prompt)); }, input));
  }
  return {
      {"model", request.model}, {"inputs", std::move(inputs)}, {"dimensions", request.dimensions}};
}

}  // namespace plinth::tests
