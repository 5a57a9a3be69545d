// Group commit: rows of many requests become durable in one transaction, so that a disk which takes
// a millisecond to be sure serves thousands of requests a second.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "store/usage_store.h"

namespace plinth::store {

// Thread-safe. Rows are appended in the order in which they come, by one thread.
class LedgerWriter {
 public:
  // Runs on the writer's thread, once: OK when the row is durable, otherwise it is not there as far
  // as anybody can know. Must not block.
  using Committed = std::function<void(const absl::Status&)>;

  // While the database is away rows wait this long before they are given up.
  static constexpr std::chrono::seconds kAwayMax{30};

  LedgerWriter(UsageStore& usage, const base::Clock& clock);
  // Writes what waits, then ends.
  ~LedgerWriter();

  // `lease`: what the row was reserved under. FailedPrecondition where it lapsed, and a budget
  // would have to pay.
  void append(LedgerRow row, Committed committed, std::optional<Lease> lease = std::nullopt);
  // Returns when everything appended before is committed or given up.
  void flush();

 private:
  struct Waiting {
    LedgerRow row;
    Committed committed;
    base::TimePoint until;
    std::optional<Lease> lease;
  };
  void run();
  // Those that could not be written and may be tried again.
  std::vector<Waiting> write(std::vector<Waiting> group);
  // The same of rows under one lease, which are written together.
  void write(std::span<Waiting> group, std::vector<Waiting>& again);

  UsageStore& usage_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Waiting> waiting_;  // protected by mutex_, as are the following
  bool busy_ = false, stopping_ = false;
  std::thread thread_;  // last: it uses the fields above
};

}  // namespace plinth::store
