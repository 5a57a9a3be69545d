// The shapes of a text completion, whole and streamed.
#pragma once

#include <memory>

#include "api/openai/answer_parts.h"

namespace plinth::api {

std::unique_ptr<Answer> make_completion_document(AnswerShape shape);
std::unique_ptr<Answer> make_completion_stream(AnswerShape shape);

}  // namespace plinth::api
