// Memory that a computation uses again and again, aligned to cache lines, which tile registers and
// wide vectors read whole.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace plinth::tensor {

// Of numbers without constructors.
template <typename T>
class AlignedScratch {
 public:
  // At least `size` elements; what they held is lost where the scratch has to grow.
  T* reserve(std::size_t size) {
    if (size > size_) {
      data_.reset();
      data_.reset(static_cast<T*>(::operator new(size * sizeof(T), kAlignment)));
      size_ = size;
    }
    return data_.get();
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Delete {
    void operator()(T* data) const { ::operator delete(data, kAlignment); }
  };
  std::unique_ptr<T, Delete> data_;
  std::size_t size_ = 0;
};

}  // namespace plinth::tensor
