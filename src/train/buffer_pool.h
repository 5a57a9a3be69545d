// The memory that a tape works in: buffers that come back are handed out again, so that a step like
// an earlier one takes nothing from the system.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "tensor/huge_allocator.h"

namespace plinth::train {

// Not thread-safe.
template <typename T>
class BufferPool {
 public:
  BufferPool() = default;
  ~BufferPool() {
    for (const auto& [count, buffers] : free_) {
      for (T* buffer : buffers) tensor::free_lines(buffer, count * sizeof(T));
    }
  }
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // Of `count` numbers, whatever they are.
  T* take(std::size_t count) {
    auto& buffers = free_[count];
    if (!buffers.empty()) {
      T* buffer = buffers.back();
      buffers.pop_back();
      return buffer;
    }
    bytes_ += count * sizeof(T);
    return static_cast<T*>(tensor::allocate_lines(count * sizeof(T)));
  }
  void give(T* buffer, std::size_t count) { free_[count].push_back(buffer); }
  // Taken from the system: the most that was in use at once, by sizes.
  std::size_t bytes() const { return bytes_; }

 private:
  std::map<std::size_t, std::vector<T*>> free_;  // by count
  std::size_t bytes_ = 0;
};

}  // namespace plinth::train
