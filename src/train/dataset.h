// A file of examples, read whole: one JSON object a line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "train/batch.h"
#include "train/example.h"
#include "train/example_encoder.h"

namespace plinth::train {

struct DataOptions {
  std::int64_t tokens_max = 0;  // of one example: longer ones are cut off there
  bool preferences = false;     // every line is one; else none is
};

// What a run would go over.
struct DataReport {
  std::int64_t examples = 0;    // or pairs of them, where they are preferences
  std::int64_t tokens = 0;      // of all examples
  std::int64_t targets = 0;     // of them, what is learnt
  std::int64_t longest = 0;     // tokens
  std::int64_t truncated = 0;   // examples that were cut off
  std::int64_t duplicates = 0;  // examples that an earlier one equals
};

// Immutable.
class Dataset {
 public:
  // InvalidArgument lists what is wrong, line by line: "line 3: `messages[1].content` is empty".
  static absl::StatusOr<Dataset> read(std::string_view text, const ExampleEncoder& encoder,
                                      const DataOptions& options);

  // Of examples that are there already; of pairs, where `preferences`.
  static Dataset of(std::vector<Example> examples, bool preferences);

  // Of preferences, number i's are 2i, which is preferred, and 2i + 1.
  const std::vector<Example>& examples() const { return examples_; }
  bool is_preference() const { return per_record_ == 2; }
  const DataReport& report() const { return report_; }
  // How many of the other's examples are here, too.
  std::int64_t shared_with(const Dataset& other) const;
  // FNV-1a over the tokens and what of them is learnt.
  std::uint64_t fingerprint() const;

 private:
  // What tells a record from others.
  using Key = std::vector<std::pair<std::int32_t, bool>>;
  Key key(std::size_t record) const;
  void add(std::vector<Example> record);

  std::size_t per_record_ = 1;
  std::vector<Example> examples_;
  DataReport report_;
};

// The examples side by side, each a document.
Batch batch_of(const std::vector<Example>& examples, const std::vector<std::size_t>& chosen);

}  // namespace plinth::train
