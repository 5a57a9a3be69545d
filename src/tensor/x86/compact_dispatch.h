// The forms that exist, as constants: one instance of a kernel for each.
#pragma once

#include "tensor/pack/compact_form.h"

namespace plinth::tensor {

// Calls work.template operator()<integers, subs, offsets>() for the form.
template <typename Work>
[[gnu::always_inline]] inline void with_compact_form(const CompactForm& form, const Work& work) {
  const bool halves = form.sub_block == 16;
  switch (form.integers) {
    case Integers::nibbles:
      if (halves) {
        return form.offsets ? work.template operator()<Integers::nibbles, 2, true>()
                            : work.template operator()<Integers::nibbles, 2, false>();
      }
      return form.offsets ? work.template operator()<Integers::nibbles, 1, true>()
                          : work.template operator()<Integers::nibbles, 1, false>();
    case Integers::five:
      return form.offsets ? work.template operator()<Integers::five, 1, true>()
                          : work.template operator()<Integers::five, 1, false>();
    case Integers::six:
      return work.template operator()<Integers::six, 2, false>();
    case Integers::bytes:
      return work.template operator()<Integers::bytes, 1, false>();
    case Integers::codes:
      return work.template operator()<Integers::codes, 1, false>();
  }
}

}  // namespace plinth::tensor
