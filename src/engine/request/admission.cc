#include "engine/request/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/cord.h"
#include "engine/limits.h"
#include "engine/sample/sampler.h"

namespace plinth::engine {

namespace {

absl::Status refused(std::string_view text, const char* param, const char* code = nullptr) {
  absl::Status status = base::invalid_argument(text);
  status.SetPayload(protocol::kParamPayload, absl::Cord(param));
  if (code != nullptr) status.SetPayload(protocol::kCodePayload, absl::Cord(code));
  return status;
}

absl::Status check_number(double value, double least, double most, const char* param) {
  // The negation refuses a NaN too.
  if (!(value >= least && value <= most)) {
    return refused(fmt::format("{} must be between {} and {}", param, least, most), param);
  }
  return absl::OkStatus();
}

// The dialects check these in their own words; a caller that did not must not harm a worker.
absl::Status check_sampling(const protocol::SamplingParams& params, std::int32_t vocab) {
  constexpr double kHuge = 1e6;
  RETURN_IF_ERROR(check_number(params.temperature, 0, kHuge, "temperature"));
  RETURN_IF_ERROR(check_number(params.top_p, 0, 1, "top_p"));
  RETURN_IF_ERROR(check_number(params.min_p, 0, 1, "min_p"));
  RETURN_IF_ERROR(check_number(params.typical_p, 0, 1, "typical_p"));
  RETURN_IF_ERROR(check_number(params.presence_penalty, -kHuge, kHuge, "presence_penalty"));
  RETURN_IF_ERROR(check_number(params.frequency_penalty, -kHuge, kHuge, "frequency_penalty"));
  RETURN_IF_ERROR(check_number(params.repetition_penalty, 1e-6, kHuge, "repetition_penalty"));
  if (params.top_k < 0) return refused("top_k must be at least 0", "top_k");
  std::set<std::int32_t> banned;
  for (const auto& [token, bias] : params.logit_bias) {
    if (token < 0 || token >= vocab) {
      return refused(fmt::format("token {} is outside the vocabulary of {}", token, vocab),
                     "logit_bias");
    }
    RETURN_IF_ERROR(check_number(static_cast<double>(bias), -kHuge, kHuge, "logit_bias"));
    if (bias <= kBanBias) banned.insert(token);
  }
  if (static_cast<std::int32_t>(banned.size()) >= vocab) {
    return refused("logit_bias bans every token", "logit_bias");
  }
  return absl::OkStatus();
}

absl::Status check_shape(const protocol::GenerateRequest& request) {
  if (request.n < 1 || request.n > kChoicesMax) {
    return refused(fmt::format("n must be between 1 and {}", kChoicesMax), "n");
  }
  if (request.max_tokens.value_or(0) < 0) {
    return refused("max_tokens must be at least 0", "max_tokens");
  }
  if (request.top_logprobs < 0 || request.top_logprobs > kTopLogprobsMax) {
    return refused(fmt::format("top_logprobs must be between 0 and {}", kTopLogprobsMax),
                   "top_logprobs");
  }
  for (const auto& stop : request.stop) {
    // It would cut a character in two.
    if (!stop.empty() && (static_cast<unsigned char>(stop[0]) & 0xC0) == 0x80) {
      return refused("a stop string must begin with a whole character", "stop");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::int32_t> output_tokens_max(const protocol::GenerateRequest& request,
                                               std::span<const std::int32_t> prompt,
                                               const ModelBounds& bounds) {
  RETURN_IF_ERROR(check_shape(request));
  RETURN_IF_ERROR(check_sampling(request.sampling, bounds.vocab_size));
  const bool chat = std::holds_alternative<protocol::ChatPrompt>(request.prompt);
  const char* what = chat ? "messages" : "prompt";
  if (prompt.empty()) return refused("the prompt is empty", what);
  for (const auto token : prompt) {
    if (token < 0 || token >= bounds.vocab_size) {
      return refused(
          fmt::format("token {} is outside the vocabulary of {}", token, bounds.vocab_size), what);
    }
  }
  const auto count = static_cast<std::int64_t>(prompt.size());
  const std::int64_t context = bounds.context_tokens;
  if (!request.max_tokens && count >= context) {
    return refused(fmt::format("This model's maximum context length is {} tokens. However, your {} "
                               "resulted in {} tokens. Please reduce the length of the {}.",
                               context, what, count, what),
                   what, "context_length_exceeded");
  }
  const std::int64_t wanted = request.max_tokens.value_or(context - count);
  if (count + wanted > context) {
    return refused(
        fmt::format("This model's maximum context length is {} tokens. However, you requested "
                    "{} tokens ({} in the {}, {} in the completion). Please reduce the length "
                    "of the {} or completion.",
                    context, count + wanted, count, what, wanted, what),
        what, "context_length_exceeded");
  }
  return static_cast<std::int32_t>(wanted);
}

}  // namespace plinth::engine
