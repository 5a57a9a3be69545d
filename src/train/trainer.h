// A run: passes over examples, a step of the optimizer for each batch.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "base/storage.h"
#include "train/checkpoint.h"
#include "train/collective.h"
#include "train/dataset.h"
#include "train/decoder.h"
#include "train/limits.h"
#include "train/muon.h"
#include "train/objective.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/spike_guard.h"

namespace plinth::train {

struct TrainerOptions {
  std::int64_t epochs = 3;
  std::int64_t steps = 0;       // not 0: of records drawn at random, and not by epochs
  std::int64_t batch_size = 8;  // examples of one step, or pairs
  // That go through the model at once, where no example is longer: enough that a weight is read for
  // many, and few enough that what their layers leave need not be made again.
  std::int64_t pass_tokens = 512;
  ScheduleOptions schedule;
  AdamWOptions adamw;
  bool muon = false;  // for the matrices of layers; all else by AdamW
  MuonOptions muon_options;
  SpikeGuardOptions spike_guard;
  double clip_norm = 1;    // of all gradients together; 0 = as they are
  std::uint64_t seed = 1;  // of the order of examples
  // Where it is not said, layers are recomputed that would keep more than kept_bytes_max for a
  // pass. The bits are the same.
  std::optional<Recompute> recompute;
  std::int64_t kept_bytes_max = kKeptBytesMax;
  ObjectiveOptions objective;
};

struct StepReport {
  std::int64_t step = 0;  // that was done, from 1 on
  std::int64_t epoch = 0;
  Loss loss;  // of its batch, before the step
  double learning_rate = 0;
  double gradient_norm = 0;  // before clipping
  std::int64_t tokens = 0;   // that went through the model
  bool skipped = false;      // a spike: no weight has changed
};

// The same bits for the same data, options, instruction set and number of ranks, whatever the
// number of threads. The ranks of a run share each batch among themselves and end every step with
// the same weights; all of them make the same calls. Not thread-safe.
class Trainer {
 public:
  // The references outlive it. The decoder as it is now is what preferences are held against.
  // ranks null: there is one.
  Trainer(Decoder<float>& decoder, const Dataset& data, const TrainerOptions& options,
          Compute& compute, Collective* ranks = nullptr);
  Trainer(Decoder<float>& decoder, std::unique_ptr<Objective> learnt, const TrainerOptions& options,
          Compute& compute, Collective* ranks = nullptr);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  // Waits for a checkpoint that is being written.
  ~Trainer() {
    if (writer_.joinable()) writer_.join();
  }

  std::int64_t steps() const { return steps_; }  // of the whole run
  std::int64_t done() const { return optimizer_.steps(); }
  Collective& ranks() { return ranks_; }

  // FailedPrecondition where a rank has other data or options. Before all else.
  absl::Status meet();
  // The next one. FailedPrecondition where the loss or a gradient is no number any more: nothing of
  // that step has changed a weight.
  absl::StatusOr<StepReport> step();
  // What evaluate() needs of the model as it is before the first step, of a run that goes on, too:
  // before resume(). `data` outlives this.
  void prepare(const Dataset& data) { objective_of(data); }
  // Of data that is not learnt.
  absl::StatusOr<Loss> evaluate(const Dataset& data);
  absl::StatusOr<Loss> evaluate(Objective& objective);

  // Everything that the rest of the run depends on, into a folder of its own in `folder`
  // (checkpoint.h), of which the newest `keep` are left. Rank 0 writes it: it is the same for any
  // number of ranks, and gradients are gone then.
  absl::Status save(const std::string& folder, int keep) {
    RETURN_IF_ERROR(begin_save(folder, keep));
    return finish_save();
  }
  // The same from a copy in memory, written while steps go on; after what was begun before it.
  // `storage` outlives finish_save().
  absl::Status begin_save(const std::string& folder, int keep,
                          const base::Storage& storage = base::plain_storage());
  // Once it is written, or why it is not.
  absl::Status finish_save();
  // Goes on from the newest in `folder`, to the bit; false where there is none. FailedPrecondition
  // names what was another run's; DataLoss what is damaged.
  absl::StatusOr<bool> resume(const std::string& folder,
                              const base::Storage& storage = base::plain_storage());

  std::size_t bytes() const { return tape_.bytes(); }  // that inner values took

 private:
  // What must be equal where a run goes on.
  base::json::object description() const;
  // The examples of a step, by index.
  std::vector<std::size_t> batch(std::int64_t step);
  Recompute recompute_for(std::int64_t tokens) const;
  // Over the rank's share of them. last: called before the last pass.
  Loss passes(Objective& objective, const std::vector<std::size_t>& chosen, double factor,
              std::int64_t& tokens, const std::function<void()>& last);
  // Over all ranks; `more` is summed, too.
  absl::Status sum(Loss& loss, std::int64_t& tokens, double& more);
  absl::Status take_step(StepReport& report);
  // What an optimizer keeps of a parameter.
  struct StatePart {
    Parameter<float>* parameter;
    const char* kind;
    Stretch own;  // that this rank has
    std::function<void(float*)> get;
    std::function<void(const float*)> set;
  };
  std::vector<StatePart> state_parts();
  Objective& objective_of(const Dataset& data);

  Decoder<float>& decoder_;
  const TrainerOptions options_;
  Compute& compute_;
  const std::unique_ptr<Collective> alone_;
  Collective& ranks_;
  // Made when first asked for; null: of no dataset.
  std::map<const Dataset*, std::unique_ptr<Objective>> objectives_;
  Objective& objective_;  // that is learnt
  Tape<float> tape_;
  AdamW<float> optimizer_;
  std::optional<Muon> muon_;
  SpikeGuard spike_guard_;
  std::int64_t steps_per_epoch_ = 0, steps_ = 0;
  std::int64_t order_epoch_ = -1;
  std::vector<std::size_t> order_;  // of the examples in that epoch

  struct Snapshot {
    std::deque<Numbers<float>> numbers;
    std::vector<CheckpointMatrix> matrices;  // views of them
  };
  Snapshot snapshot_;
  bool saving_ = false;  // begun, and not finished
  // Rank 0's, which has snapshot_ and written_ for itself until it is joined.
  std::thread writer_;
  absl::Status written_;
};

}  // namespace plinth::train
