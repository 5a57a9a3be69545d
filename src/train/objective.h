// What a run makes smaller: the loss of some records, and the way back from it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/json.h"
#include "train/dataset.h"
#include "train/decoder.h"
#include "train/preference.h"

namespace plinth::train {

struct ObjectiveOptions {
  Method method = Method::sft;
  PreferenceOptions preference;
};

// Where and how records go through a model.
struct Pass {
  Tape<float>& tape;
  Decoder<float>& decoder;
  Recompute recompute = Recompute::full;
  double factor = 0;        // of the loss's sum, on the way back
  std::int64_t tokens = 0;  // counts those that went through
};

// Not thread-safe.
class Objective {
 public:
  virtual ~Objective() = default;

  virtual std::int64_t records() const = 0;
  // That a record takes of a pass.
  virtual std::int64_t tokens(std::size_t record) const = 0;
  // Of a record in the mean of a step.
  virtual double weight(std::size_t record) const = 0;
  // All of `records` at once; the tape goes back where it is recording, and is clear then. Of pairs
  // the loss's targets and correct are pairs, and those where the preferred answer has the margin.
  virtual Loss pass(Pass& pass, std::span<const std::size_t> records) = 0;
  // What must be equal where a run goes on.
  virtual void describe(base::json::object& run) const = 0;
};

// Of a method with a reference, that is `decoder` as it is now: in passes of `pass_tokens`.
// `data` outlives it.
std::unique_ptr<Objective> make_objective(const ObjectiveOptions& options, const Dataset& data,
                                          Decoder<float>& decoder, std::int64_t pass_tokens,
                                          Compute& compute);

}  // namespace plinth::train
