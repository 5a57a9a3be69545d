// Chooses each product's blocking by measuring, once for each processor and shape.
#pragma once

#include <map>
#include <string>

#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "base/status.h"
#include "tensor/blocking.h"

namespace plinth::tensor {

// What was measured, by shape ("avx512 q4_0 8192x2048").
using BlockingTable = std::map<std::string, Blocking, std::less<>>;

// One thread at a time.
class Tuner {
 public:
  Tuner(BlockingTable known, const base::Clock& clock) : table_(std::move(known)), clock_(clock) {}

  // The known choice; else `run` is timed with each of kBlockings, in rounds, and the fastest is
  // taken where it beats the default by more than the noise of so short a measurement.
  Blocking choose(const std::string& shape, absl::FunctionRef<void(const Blocking&)> run);
  const BlockingTable& table() const { return table_; }
  // Shapes that were measured here.
  int measured() const { return measured_; }

 private:
  Blocking measure(absl::FunctionRef<void(const Blocking&)> run) const;

  BlockingTable table_;
  const base::Clock& clock_;
  int measured_ = 0;
};

// The table as a document for this processor, and back. `processor` as processor_name() gives it.
std::string write_tuning(const BlockingTable& table, std::string_view processor);
// InvalidArgument where it is no such document, FailedPrecondition where it is another
// processor's.
absl::StatusOr<BlockingTable> read_tuning(std::string_view text, std::string_view processor);

// The processor's brand and its caches' sizes, on which the choices depend.
std::string processor_name();

}  // namespace plinth::tensor
