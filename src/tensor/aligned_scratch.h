// Memory that a computation uses again and again, aligned to cache lines, which tile registers and
// wide vectors read whole.
#pragma once

#include <cstddef>
#include <memory>

#include "tensor/huge_allocator.h"

namespace plinth::tensor {

// Of numbers without constructors.
template <typename T>
class AlignedScratch {
 public:
  // At least `size` elements; what they held is lost where the scratch has to grow.
  T* reserve(std::size_t size) {
    if (size > size_) {
      data_.reset();
      data_ = {static_cast<T*>(allocate_lines(size * sizeof(T))), Free{size * sizeof(T)}};
      size_ = size;
    }
    return data_.get();
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }

 private:
  struct Free {
    std::size_t bytes = 0;
    void operator()(T* data) const { free_lines(data, bytes); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace plinth::tensor
