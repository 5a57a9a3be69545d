// Files of tokens that somebody else has made: nanoGPT's (numbers of two bytes) and llm.c's (a
// header of 256 numbers before them, or before numbers of four bytes).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace plinth::train {

// InvalidArgument names what is wrong: a length that fits no form, a token past the vocabulary,
// with its place.
absl::StatusOr<std::vector<std::int32_t>> parse_token_file(std::string_view bytes,
                                                           std::int64_t vocab);

}  // namespace plinth::train
