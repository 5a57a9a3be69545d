// What `plinth train` learns from: a text or a file of tokens, and the tokenizer of both.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/tokenizer_spec.h"

namespace plinth {

struct TextSource {
  std::string data;   // plain text, or tokens where the name ends in ".bin"
  std::string valid;  // the same, not learnt but looked at; "" = the last part of `data`
  double valid_part = 0.1;
  std::string tokenizer;  // path of a model whose tokenizer is taken; "" = one is made
  std::size_t vocab = 0;  // of the one that is learnt from the text; 0 = its tokens are bytes
};

struct TrainingText {
  model::TokenizerSpec tokenizer;
  std::vector<std::int32_t> train, valid;
  double valid_bytes_per_token = 0;  // what losses by byte follow from
};

// InvalidArgument names the file and what is wrong with it. More than `context` tokens are in both
// parts.
absl::StatusOr<TrainingText> read_training_text(const TextSource& source, std::int64_t context);

}  // namespace plinth
