#include "api/openai/answer_parts.h"

#include "api/error_map.h"
#include "api/sse_writer.h"

namespace plinth::api {

AnswerShape shape_for(const Exchange& exchange, std::string_view id_prefix,
                      const protocol::GenerateRequest& request, const StreamOptions& stream) {
  const auto& services = exchange.services();
  AnswerShape shape;
  shape.azure = exchange.dialect == Dialect::azure;
  shape.id = next_id(services.clock, id_prefix);
  shape.model = request.model;
  shape.created = services.clock.unix_seconds();
  shape.n = request.n;
  shape.logprobs = request.logprobs;
  shape.include_usage = stream.include_usage;
  if (stream.include_obfuscation) shape.obfuscator.emplace(services.entropy());
  return shape;
}

base::json::object usage_object(const protocol::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}, {"audio_tokens", 0}}},
          {"completion_tokens_details",
           {{"reasoning_tokens", 0},
            {"audio_tokens", 0},
            {"accepted_prediction_tokens", 0},
            {"rejected_prediction_tokens", 0}}}};
}

std::string open_object(const base::json::object& document) {
  std::string text = base::to_json(document);
  text.back() = ',';
  return text;
}

void DocumentAnswer::add(std::size_t call, protocol::GenerateEvent event, std::string&) {
  if (auto* admitted = std::get_if<protocol::Admitted>(&event)) {
    fingerprint_ = std::move(admitted->system_fingerprint);
  } else if (auto* delta = std::get_if<protocol::Delta>(&event)) {
    auto& choice = choices_.at(shape_.index_of(call, delta->index));
    choice.text += delta->text;
    for (auto& position : delta->logprobs) choice.logprobs.push_back(std::move(position));
  } else if (const auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
    choices_.at(shape_.index_of(call, end->index)).reason =
        protocol::finish_reason_name(end->reason);
  }
}

void DocumentAnswer::prompts_checked(const std::string& results, std::string&) {
  prompt_results_ = results;
}

void DocumentAnswer::checked(std::size_t call, std::int32_t choice, const std::string& results) {
  choices_.at(shape_.index_of(call, choice)).filter_results = results;
}

void DocumentAnswer::append_results(const Choice& choice, std::string& out) const {
  if (!shape_.azure || prompt_results_.empty()) return;
  out += R"(,"content_filter_results":)";
  out += choice.filter_results.empty() ? "{}" : choice.filter_results;
}

void DocumentAnswer::append_prompt_results(std::string& out) const {
  if (!shape_.azure || prompt_results_.empty()) return;
  out += R"(,"prompt_filter_results":)" + prompt_results_;
}

// Clients of other services stumble over a chunk without choices: Azure's know it.
void StreamAnswer::prompts_checked(const std::string& results, std::string& out) {
  annotates_ = shape_.azure;
  if (!annotates_) return;
  out += R"(data: {"choices":[],"created":0,"id":"","model":"","object":"",)";
  out += R"("prompt_filter_results":)" + results + "}\n\n";
}

void StreamAnswer::checked(std::size_t call, std::int32_t choice, const std::string& results) {
  filter_results_.at(shape_.index_of(call, choice)) = results;
}

void StreamAnswer::append_results(std::size_t choice, bool text, std::string& out) const {
  const auto& results = filter_results_.at(choice);
  if (!annotates_ || (text && results.empty())) return;
  out += R"(,"content_filter_results":)";
  out += text ? results : "{}";
}

void StreamAnswer::set_head(const base::json::object& head) {
  before_choices_ = "data: " + open_object(head) + R"("choices":[)";
}

void StreamAnswer::end_chunk(std::size_t text_bytes, std::string& out) {
  out += "}]";
  if (shape_.include_usage) out += R"(,"usage":null)";
  if (shape_.obfuscator) shape_.obfuscator->append(out, text_bytes);
  out += "}\n\n";
}

void StreamAnswer::finish(const protocol::Usage& usage, std::string& out) {
  if (shape_.include_usage) {
    out += before_choices_;
    out += R"(],"usage":)";
    out += base::to_json(usage_object(usage));
    if (shape_.obfuscator) shape_.obfuscator->append(out, 0);
    out += "}\n\n";
  }
  append_done(out);
}

void StreamAnswer::fail(const absl::Status& status, std::string& out) {
  append_event(out, error_object(status));
}

}  // namespace plinth::api
