// Passes over one row of logits, [vocab] fp32. Written so that the compiler makes vector code of
// them; their sums have a fixed order, and with it fixed bits.
#pragma once

#include <cstdint>
#include <span>

namespace plinth::engine {

// Whether every number is finite. A model that overflows gives NaN or infinity.
bool all_finite(std::span<const float> row);

// The largest value. The row is not empty and has no NaN; -infinity may occur.
float largest(std::span<const float> row);

// The first place of the largest value: ties go to the lowest token.
std::int32_t argmax(std::span<const float> row);

// out[i] = exp((row[i] - top) * scale), within 2e-7 of the value, and 0 below e^-80; returns their
// sum. `top` is the row's largest value and scale > 0. `out` may be empty: then only the sum.
double exponentials(std::span<const float> row, float top, float scale, std::span<float> out);

}  // namespace plinth::engine
