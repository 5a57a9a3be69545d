// How the AVX-512 kernels of floating-point weights take their tokens.
#pragma once

#include <type_traits>

namespace plinth::tensor {

// Calls some(task, constant kM) on 8 tokens after the other, then on what is left of them.
template <typename Task, typename Some>
[[gnu::always_inline]] inline void all_tokens(Task task, const Some& some) {
  const auto take = [&]<int kM>(std::integral_constant<int, kM> tokens) {
    some(task, tokens);
    task.x += kM * task.columns;
    task.y += kM * task.ldy;
    task.m -= kM;
  };
  while (task.m >= 8) take(std::integral_constant<int, 8>());
  if (task.m >= 4) take(std::integral_constant<int, 4>());
  if (task.m >= 2) take(std::integral_constant<int, 2>());
  if (task.m == 1) take(std::integral_constant<int, 1>());
}

}  // namespace plinth::tensor
