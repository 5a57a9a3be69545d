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

#include "base/clock.h"
#include "base/json.h"
#include "governance/deployment.h"
#include "governance/price_book.h"
#include "governance/quota/utilisation.h"
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
  std::string accepted_by;          // id of the key
  std::int64_t accepted_s = 0;
};

// {unitTokensPerMinute, outputWeight, firstTokenMs, tokenUs}. InvalidArgument names the field.
absl::StatusOr<ThroughputRow> parse_throughput(const base::json::value& document);
base::json::object throughput_json(const ThroughputRow& row);

// Thread-safe. Utilisation is of this gateway: of several, each admits what it sees.
class ProvisionedThroughput {
 public:
  // The references outlive it.
  static absl::StatusOr<std::unique_ptr<ProvisionedThroughput>> open(store::DocumentStore& store,
                                                                     const base::Clock& clock);

  // Returns it with its version; the rows before stay on record.
  absl::StatusOr<ThroughputRow> accept(ThroughputRow row);
  // The newest row of each model.
  std::vector<ThroughputRow> list() const;
  absl::StatusOr<ThroughputRow> of(const std::string& model) const;
  absl::Status refresh();

  struct Bucket;
  // What one request has of a deployment's throughput. Dropped, it gives back what it reckoned.
  class Use {
   public:
    Use() = default;
    Use(Use&&) noexcept = default;
    Use& operator=(Use&& other) noexcept;
    ~Use();
    // As Admission::reserve() counts them.
    void add(const TokenCount& most);
    void settle(const TokenCount& actual);

   private:
    friend class ProvisionedThroughput;
    std::shared_ptr<Bucket> bucket_;
    const base::Clock* clock_ = nullptr;
    std::int64_t reckoned_ = 0;
  };

  // A refusal (refusal.h) with the time to wait where the deployment is over its brim.
  // FailedPrecondition where its model has no row.
  absl::StatusOr<Use> begin(const Deployment& deployment);
  // Whole percent; 0 of a deployment that nobody has called.
  std::int64_t utilisation(const Deployment& deployment);

 private:
  ProvisionedThroughput(store::DocumentStore& store, const base::Clock& clock)
      : store_(store), clock_(clock) {}

  store::DocumentStore& store_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, ThroughputRow> rows_;  // by model; protected by mutex_, as the next
  std::map<std::string, std::shared_ptr<Bucket>> buckets_;  // by deployment_scope()
};

}  // namespace plinth::governance
