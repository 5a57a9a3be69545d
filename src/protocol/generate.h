// A generation as it crosses the planes: what is asked, and what comes back.
// One GenerateRequest makes `n` choices of one prompt; events name the choice by index.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace plinth::protocol {

// The messages of a chat as JSON text (an array, already validated by the dialect), rendered by the
// worker with the model's own template.
struct ChatPrompt {
  std::string messages_json;
  std::string tools_json;            // "" or an array
  std::string template_kwargs_json;  // "" or an object
  bool add_generation_prompt = true;
};
struct TextPrompt {
  std::string text;
};
struct TokenPrompt {
  std::vector<std::int32_t> tokens;
};
using Prompt = std::variant<ChatPrompt, TextPrompt, TokenPrompt>;

struct SamplingParams {
  double temperature = 1.0;                                // 0 = greedy
  double top_p = 1.0;                                      // (0, 1]
  std::int32_t top_k = 0;                                  // 0 = off
  double min_p = 0.0;                                      // [0, 1]
  double typical_p = 1.0;                                  // (0, 1]
  double presence_penalty = 0.0;                           // [-2, 2]
  double frequency_penalty = 0.0;                          // [-2, 2]
  double repetition_penalty = 1.0;                         // > 0; over prompt and output
  std::vector<std::pair<std::int32_t, float>> logit_bias;  // token id, [-100, 100]; -100 bans
  std::optional<std::uint64_t> seed;
};

// What a request may expect of the engine beside others. `batch` runs where nothing of the standard
// class waits, and is the first to give up what it holds.
enum class ServiceClass : std::uint8_t { standard, batch };
// Of the class of that name; every other class is served as standard.
ServiceClass service_class_named(std::string_view name);

// Low-rank weights that a request's tokens are computed with, beside the worker's own model.
struct AdapterRef {
  std::string id;  // of its content: another one is another adapter; "" = none
  // What the worker opens: a GGUF file, or the tensors and the configuration of a PEFT adapter.
  std::string path;
  std::string config_path;  // "" = GGUF
  // Of a sealed file: what opens it as it lay there when this was made (governance/sealed_file.h),
  // raw; "" = it is plain. Never in a log or an error.
  std::string key = {};
  bool operator==(const AdapterRef&) const = default;
};

struct GenerateRequest {
  std::string request_id;
  std::string model;
  Prompt prompt;
  SamplingParams sampling;
  std::int32_t n = 1;                      // choices
  std::optional<std::int32_t> max_tokens;  // empty: until the context is full
  std::vector<std::string> stop;           // never part of the text
  bool ignore_eos = false;
  bool logprobs = false;
  std::int32_t top_logprobs = 0;  // 0..20
  bool echo = false;              // completions: the prompt's text comes first
  bool prompt_logprobs = false;   // echo with logprobs; bypasses prefix-cache reads
  bool ignore_prefix_cache = false;
  std::string cache_salt;  // tenant's; promise 4
  // Render and count, say so (Prepared), then wait until the call is committed: whoever asks knows
  // what it costs at most before it costs anything.
  bool held = false;
  // Nobody reads the answer before its end: its events may come together, a little late.
  bool gathered = false;
  // Whom the engine is fair to: a project. "" is a tenant too.
  std::string tenant;
  std::int32_t tenant_weight = 1;  // shares of the engine, 1 to kTenantWeightMax
  ServiceClass service_class = ServiceClass::standard;
  AdapterRef adapter;
};

struct TokenLogprob {
  std::int32_t token = 0;
  std::string bytes;        // raw bytes of the token; may be a part of a character
  float logprob = 0;        // natural log
  bool has_logprob = true;  // false for the first token of a prompt
};
struct PositionLogprobs {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;  // descending; at most top_logprobs
};

// content_filter is the gateway's own: no worker ends a choice for it.
enum class FinishReason : std::uint8_t { none, stop, length, cancelled, error, content_filter };
std::string_view finish_reason_name(FinishReason reason);

struct Usage {
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_tokens = 0;      // of prompt_tokens, read from the prefix cache
  std::int32_t completion_tokens = 0;  // all choices together
  // Of the engine's time, what this request's tokens took. For the ledger, never for clients.
  std::int64_t device_us = 0;
};

// Of held requests, before everything else: what they cost at most. Said again where the pinned
// tokens are lost before the request is committed: then it waits for another commit.
struct Prepared {
  std::int32_t prompt_tokens = 0;
  std::int32_t output_tokens_max = 0;  // of each choice
  // Of prompt_tokens, those that the prefix cache has and keeps for it: cached_tokens will be no
  // less.
  std::int32_t pinned_tokens = 0;
};
// Admitted: the prompt is rendered, counted and accepted. Sent once, first but for
// Prepared.
struct Admitted {
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_tokens = 0;
  std::string system_fingerprint;  // changes with weights, kernels and config
};
// Text (and logprobs) of one choice; text may be empty when held back for stop strings.
struct Delta {
  std::int32_t index = 0;
  std::string text;  // valid UTF-8
  std::vector<PositionLogprobs> logprobs;
  std::int32_t tokens = 0;  // produced by this delta
  // Usage::device_us of the whole request until then; 0 = not said. A step's last delta of a
  // request says it, so that a request whose end nobody hears is not without it.
  std::int64_t device_us = 0;
};
// One choice is over.
struct ChoiceEnd {
  std::int32_t index = 0;
  FinishReason reason = FinishReason::stop;
  std::string stop_matched;  // the stop string, if one was the cause
};
// The request is over: exactly one, last. On error `status` says why; usage then counts what was
// produced until then.
struct Finished {
  absl::Status status;
  Usage usage;
};

using GenerateEvent = std::variant<Prepared, Admitted, Delta, ChoiceEnd, Finished>;

// InvalidArgument statuses carry the offending parameter in this payload, for the error object's
// "param"; the code in the second ("context_length_exceeded").
inline constexpr char kParamPayload[] = "plinth/param";
inline constexpr char kCodePayload[] = "plinth/code";

}  // namespace plinth::protocol
