// A runner without weights: the logits are a fixed function of the sequence's whole history, read
// back from the pages it was given, so a page that was lost, shared or misplaced changes the
// output. Any path is an adapter but those that begin with "broken"; it takes as many bytes as its
// name has, and changes every number.
#pragma once

#include <memory>

#include "engine/runner.h"
#include "model/tokenizer.h"

namespace plinth::engine {

struct FakeRunnerOptions {
  std::int32_t vocab_size = 256;
  std::int32_t context_tokens_max = 4096;
  std::int32_t short_rope_tokens_max = INT32_MAX;
  bool prompts_apart = false;  // logits then depend on which tokens were the prompt's
  // The token that stood so many places before is much more likely than others: a text that
  // repeats itself. 0 = none is.
  std::int32_t period = 0;
};

std::unique_ptr<Runner> make_fake_runner(const FakeRunnerOptions& options);

// Token i is byte i. `end_of_generation` ends a generation; without one only its length or a stop
// string do.
std::unique_ptr<model::Tokenizer> make_byte_tokenizer(model::TokenId end_of_generation = -1);

}  // namespace plinth::engine
