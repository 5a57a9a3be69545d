// The numbers of a model, and which of them learn.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tensor/huge_allocator.h"

namespace plinth::train {

template <typename T>
using Numbers = std::vector<T, tensor::HugeAllocator<T>>;

template <typename T>
struct Parameter {
  std::string name;  // "layers.3.q"
  std::int64_t rows = 0, columns = 0;
  Numbers<T> value;  // [rows, columns]
  Numbers<T> grad;   // the same; empty where it is frozen
  bool decays = false;

  bool learns() const { return !grad.empty(); }
  std::int64_t size() const { return rows * columns; }
};

// In the order of the model, each with an address that stays.
template <typename T>
class Parameters {
 public:
  // Zeros. Matrices decay, vectors do not. Loshchilov and Hutter, "Decoupled weight decay", 2019.
  Parameter<T>& add(std::string name, std::int64_t rows, std::int64_t columns, bool learns) {
    auto& parameter = all_.emplace_back();
    parameter.name = std::move(name);
    parameter.rows = rows;
    parameter.columns = columns;
    parameter.decays = rows > 1;
    parameter.value.resize(static_cast<std::size_t>(rows * columns));
    if (learns) parameter.grad.resize(parameter.value.size());
    return parameter;
  }
  std::deque<Parameter<T>>& all() { return all_; }
  const std::deque<Parameter<T>>& all() const { return all_; }
  // Null where there is none.
  Parameter<T>* find(const std::string& name) {
    for (auto& parameter : all_) {
      if (parameter.name == name) return &parameter;
    }
    return nullptr;
  }
  void clear_gradients() {
    for (auto& parameter : all_) parameter.grad.assign(parameter.grad.size(), T{0});
  }

 private:
  std::deque<Parameter<T>> all_;
};

}  // namespace plinth::train
