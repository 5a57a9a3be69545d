// What one pass of the trainer goes over.
#pragma once

#include <cstdint>
#include <vector>

namespace plinth::train {

// One document in a batch: positions count from its start, and it attends to itself alone.
struct Document {
  std::int64_t begin = 0;  // its first token in the batch
  std::int64_t tokens = 0;
};

// Documents side by side, [m tokens].
struct Batch {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> targets;  // what should follow each token
  std::vector<float> weights;         // of each target in the loss; 0 = it is not looked at
  std::vector<Document> documents;    // which cover the batch, in order

  std::int64_t tokens() const { return static_cast<std::int64_t>(ids.size()); }
};

}  // namespace plinth::train
