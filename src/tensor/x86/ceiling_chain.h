// Chains of instructions, each of which waits for the one before it alone.
#pragma once

namespace plinth::tensor {

// Tells the compiler that the value is used and may have changed, at no cost. Chains that start
// hidden are no copies of one another, which would be computed once.
template <typename T>
[[gnu::always_inline]] inline void hide(T& value) {
  __asm__ volatile("" : "+v"(value));
}

}  // namespace plinth::tensor
