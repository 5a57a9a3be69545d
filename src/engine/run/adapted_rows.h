// Which rows of a step take which adapter, and what these add to the layers' products. Rows of one
// adapter go together wherever they stand in the batch; what a row gets depends on it alone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/run/packed_adapter.h"
#include "engine/run/step.h"

namespace plinth::engine {

// The adapters that are loaded. Thread-safe.
class AdapterSet {
 public:
  AdapterId add(std::shared_ptr<const PackedAdapter> adapter);
  // Its memory goes with the step that reads it, if one does.
  void remove(AdapterId id);
  // Null where there is none. Shared: a step may outlive the removal.
  std::shared_ptr<const PackedAdapter> find(AdapterId id) const;

 private:
  mutable std::mutex mutex_;
  std::map<AdapterId, std::shared_ptr<const PackedAdapter>> adapters_;  // protected, as is
  std::int32_t next_ = 0;
};

// Of one step. Keeps its scratch between steps. Not thread-safe.
class AdaptedRows {
 public:
  explicit AdaptedRows(tensor::Isa isa) : product_(isa) {}
  // FailedPrecondition where an entry names an adapter that is not loaded.
  absl::Status begin(const Step& step, const AdapterSet& adapters);
  // Lets go of the step's adapters.
  void end();
  bool any(int layer, AdaptedInput input) const;
  // y += what the adapters make of x, of the rows that have one; x: [m, ldx], y: [m, ldy].
  void add(int layer, AdaptedInput input, const float* x, std::int64_t ldx, float* y,
           std::int64_t ldy, base::ThreadPool& pool);

 private:
  struct Group {
    AdapterId id = kNoAdapter;
    std::shared_ptr<const PackedAdapter> adapter;  // shared with the set
    std::vector<int> rows;
  };
  const tensor::PackedLowRank* weights(const Group& group, int layer, AdaptedInput input) const;

  tensor::LowRankProduct product_;
  std::vector<Group> groups_;  // the first used_ of them
  std::size_t used_ = 0;
  std::vector<tensor::LowRankRows> product_rows_;
};

inline bool is_adapted(const RunContext& context, int layer, AdaptedInput input) {
  return context.adapted != nullptr && layer >= 0 && context.adapted->any(layer, input);
}

inline void add_adapted(const RunContext& context, int layer, AdaptedInput input, const float* x,
                        std::int64_t ldx, float* y, std::int64_t ldy) {
  if (!is_adapted(context, layer, input)) return;
  context.adapted->add(layer, input, x, ldx, y, ldy, context.pool);
}

}  // namespace plinth::engine
