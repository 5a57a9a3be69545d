// What `plinth eval` finds out about a model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/eval_engine.h"
#include "base/json.h"
#include "base/status.h"
#include "train/eval_item.h"

namespace plinth {

struct EvalOptions {
  std::int64_t limit = 0;         // of the file's lines, from the first on; 0 = all
  std::int32_t max_tokens = 256;  // of an answer
};

// Shares are of the items of their kind; errors are standard errors of the mean.
struct EvalReport {
  std::int64_t choices = 0, answers = 0, texts = 0;           // items
  double accuracy = 0, accuracy_error = 0;                    // of choices, by log-likelihood
  double accuracy_by_bytes = 0, accuracy_by_bytes_error = 0;  // by that for each byte
  double exact_match = 0, exact_match_error = 0;
  double loss = 0;            // nats for each token of texts
  double bits_per_byte = 0;   // of texts
  double token_accuracy = 0;  // of texts
  std::int64_t text_tokens = 0;
  base::json::array items;  // what came of each, in the order of the file

  base::json::object summary() const;
};

// One item a line. InvalidArgument names the line.
absl::StatusOr<std::vector<train::EvalItem>> read_eval_items(const std::string& text,
                                                             std::int64_t limit);

absl::StatusOr<EvalReport> run_eval(EvalEngine& engine, const std::vector<train::EvalItem>& items,
                                    const EvalOptions& options);

}  // namespace plinth
