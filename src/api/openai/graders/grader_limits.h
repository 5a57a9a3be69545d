// Bounds of graders, with their reasons.
#pragma once

#include <cstddef>

namespace plinth::api {

// Of one text that is compared. The slowest metric takes time of the product of two lengths, on a
// thread that others wait for: kSubGradersMax of them take some tenths of a second.
inline constexpr std::size_t kGradedBytesMax = 32u << 10;
// Of a multi grader: each may be a call of a model.
inline constexpr std::size_t kSubGradersMax = 16;
inline constexpr std::size_t kGraderMessagesMax = 64;
inline constexpr std::size_t kGraderNameMax = 64;
// Of calculate_output: parsed by functions that call each other.
inline constexpr std::size_t kFormulaBytesMax = 4096;
inline constexpr int kFormulaDepthMax = 64;
// That a model which scores may say: a number, or a short object with one.
inline constexpr int kScoreTokensMax = 512;

}  // namespace plinth::api
