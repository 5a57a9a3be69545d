// What a forward pass did, so that it can be gone through backwards: reverse-mode differentiation,
// with the backward of each operation written by hand. Griewank and Walther, "Evaluating
// derivatives", 2008.
//
//   Tape<float> tape(compute);
//   auto& x = tape.leaf(values, gradients, rows, columns);
//   auto& y = rms_norm(tape, x, weight, epsilon);        // ops/: each makes a Var and records
//   itself tape.backward();                                     // once somebody has filled y's
//   gradient
//
// T is float, or double where tests take differences.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "train/buffer_pool.h"
#include "train/compute.h"

namespace plinth::train {

// A matrix on a tape, [rows, columns] row-major.
template <typename T>
struct Var {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  T* value = nullptr;
  T* grad = nullptr;        // of the loss; null until somebody adds to it. Tape::grad() asks.
  bool wants_grad = false;  // somebody before it has a use for one
  bool is_leaf = false;     // both arrays are the caller's

  std::int64_t size() const { return rows * columns; }
};

// Not thread-safe: operations are recorded by one thread, and share their work among the pool's.
template <typename T>
class Tape {
 public:
  explicit Tape(Compute& compute) : compute_(compute) {}
  ~Tape() { clear(); }
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  Compute& compute() { return compute_; }
  base::ThreadPool& threads() { return compute_.threads; }
  // Arrays that outlive the tape's use; grad null = no gradient is wanted. Gradients are added to.
  Var<T>& leaf(T* value, T* grad, std::int64_t rows, std::int64_t columns);
  // Values as they may be. It lives until the operation that is recorded next has gone backward, so
  // what an operation keeps for that is made with this, too.
  Var<T>& make(std::int64_t rows, std::int64_t columns, bool wants_grad);
  // What goes backward from var, whose gradient is complete then. Nothing where none is wanted.
  void record(const Var<T>& var, std::function<void()> backward);
  // On the way back `passed` is called once all that is recorded from here on has gone backward.
  void mark(std::function<void()> passed);
  // Zero at first. For what wants one.
  T* grad(Var<T>& var);
  // The same without the zeros: `is_new` where the caller is to write and not to add.
  T* grad(Var<T>& var, bool& is_new);

  // Goes back through everything that was recorded and lets go of it.
  void backward();
  // Forgets everything, and keeps the memory.
  void clear();

  // body(input), of which nothing is kept but what it returns: backward does it once more, with the
  // same bits. It may use leaves, and of the tape's no other than its input. Chen et al., "Training
  // deep nets with sublinear memory cost", 2016.
  using Body = std::function<Var<T>&(Var<T>& input)>;
  Var<T>& recompute(Var<T>& input, Body body);

  // Without gradients nothing is recorded.
  bool recording() const { return recording_; }
  void set_recording(bool on) { recording_ = on; }
  std::size_t bytes() const { return pool_.bytes(); }

 private:
  struct Node {
    const Var<T>* var = nullptr;  // null: a mark
    std::size_t vars_before = 0;  // of what was there before its own were made
    std::function<void()> backward;
  };
  void release(Var<T>& var);
  void drop_vars(std::size_t count);
  void backward_to(std::size_t node_count);

  Compute& compute_;
  BufferPool<T> pool_;
  std::deque<Var<T>> leaves_, vars_;  // whose elements stay where they are
  std::vector<Node> nodes_;
  std::size_t claimed_ = 0;  // vars that belong to a node
  bool recording_ = true;
};

extern template class Tape<float>;
extern template class Tape<double>;

}  // namespace plinth::train
