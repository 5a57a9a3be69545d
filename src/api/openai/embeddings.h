// POST /v1/embeddings: its bodies, declared; a body as a protocol::EmbedRequest; the answer.
#pragma once

#include <string>
#include <string_view>

#include "api/exchange.h"
#include "api/schema/validate.h"
#include "base/status.h"
#include "protocol/embed.h"

namespace plinth::api {

const Schema& embedding_request_schema();
const Schema& embedding_answer_schema();

struct EmbeddingRequest {
  protocol::EmbedRequest embed;
  bool base64 = false;
};

absl::StatusOr<EmbeddingRequest> parse_embedding_request(std::string_view body,
                                                         const ValidateOptions& options = {});

// The whole answer as JSON text. base64: the vector's little-endian 32-bit floats. Internal where
// the model made a number that JSON cannot write.
absl::StatusOr<std::string> embedding_answer(const protocol::EmbedResult& result,
                                             std::string_view model, bool base64);

// The endpoint.
void create_embedding(const ExchangePtr& exchange);

}  // namespace plinth::api
