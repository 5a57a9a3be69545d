// Throughput that is sold ahead of its use. A unit is a hundredth of what one replica of a model
// sustains within its latency target, in input-equivalent tokens a minute; what that is stands in a
// table which `plinth bench serve --calibrate` proposes and an administrator accepts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/document_store.h"

namespace plinth::governance {

// What one unit of a model is.
struct ThroughputRow {
  std::string model;
  std::int64_t version = 0;         // of the model's rows; accept() gives it
  std::int64_t unit_tokens = 0;     // input-equivalent tokens a minute
  std::int64_t output_weight = 1;   // input tokens that an output token is worth
  std::int64_t first_token_ms = 0;  // the latency target it was measured at
  std::int64_t token_us = 0;        // and between tokens
  std::int64_t replicas = 1;        // of the model, over all gateways: each has one
  std::string accepted_by;          // id of the key
  std::int64_t accepted_s = 0;
};

// {unitTokensPerMinute, outputWeight, firstTokenMs, tokenUs, replicas?}. InvalidArgument names the
// field.
absl::StatusOr<ThroughputRow> parse_throughput(const base::json::value& document);
base::json::object throughput_json(const ThroughputRow& row);

// The table. Admission keeps what is in use of it. Thread-safe.
class ProvisionedThroughput {
 public:
  // The references outlive it.
  static absl::StatusOr<std::unique_ptr<ProvisionedThroughput>> open(store::DocumentStore& store,
                                                                     const base::Clock& clock);

  // Returns it with its version; the rows before stay on record. `then` runs in the same
  // transaction, when of() knows the row; where it fails the row is not accepted.
  absl::StatusOr<ThroughputRow> accept(
      ThroughputRow row, absl::FunctionRef<absl::Status(const ThroughputRow& accepted)> then);
  // The newest row of each model.
  std::vector<ThroughputRow> list() const;
  absl::StatusOr<ThroughputRow> of(const std::string& model) const;
  absl::Status refresh();

 private:
  ProvisionedThroughput(store::DocumentStore& store, const base::Clock& clock)
      : store_(store), clock_(clock) {}

  store::DocumentStore& store_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, ThroughputRow> rows_;  // by model; protected by mutex_
};

}  // namespace plinth::governance
