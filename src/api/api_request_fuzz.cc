// A request body of any endpoint: refused with a reason, or a request within its declared bounds.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/limits.h"
#include "api/openai/chat_completions.h"
#include "api/openai/completions.h"
#include "api/openai/embeddings.h"
#include "base/check.h"

namespace plinth::api {

namespace {

void check_refusal(const absl::Status& status) {
  CHECK(absl::IsInvalidArgument(status) || absl::IsResourceExhausted(status));
  CHECK(!status.message().empty());
}

void check_generate(const protocol::GenerateRequest& request) {
  CHECK(request.n >= 1 && request.n <= kChoicesMax);
  CHECK(request.stop.size() <= kStopMax);
  CHECK(request.sampling.logit_bias.size() <= kLogitBiasMax);
  CHECK(request.sampling.temperature >= 0 && request.sampling.temperature <= 2);
  CHECK(request.sampling.top_p > 0 && request.sampling.top_p <= 1);
  CHECK(!request.model.empty());
}

}  // namespace

}  // namespace plinth::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plinth::api;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const bool ignore_unknown : {false, true}) {
    const ValidateOptions options{Direction::request, ignore_unknown};
    if (const auto chat = parse_chat_request(body, options); chat.ok())
      check_generate(chat->generate);
    else
      check_refusal(chat.status());
    if (const auto completion = parse_completion_request(body, options); completion.ok()) {
      check_generate(completion->generate);
      CHECK(!completion->prompts.empty() && completion->prompts.size() <= kPromptsMax);
    } else {
      check_refusal(completion.status());
    }
    if (const auto embedding = parse_embedding_request(body, options); embedding.ok()) {
      CHECK(!embedding->embed.inputs.empty());
      CHECK(embedding->embed.inputs.size() <= kEmbedInputsMax);
      CHECK(embedding->embed.dimensions >= 0);
    } else {
      check_refusal(embedding.status());
    }
  }
  return 0;
}
