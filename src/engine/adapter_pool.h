// The adapters that a runner has loaded: on first use, as many as a bound on their memory holds;
// the least recently used ones that no request needs leave first.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/status.h"
#include "engine/runner.h"
#include "protocol/generate.h"

namespace plinth::engine {

class AdapterPool;

// Keeps one adapter loaded. The pool outlives it.
class AdapterLease {
 public:
  AdapterLease(AdapterPool& pool, std::string name, AdapterId id)
      : pool_(pool), name_(std::move(name)), id_(id) {}
  ~AdapterLease();
  AdapterLease(const AdapterLease&) = delete;
  AdapterLease& operator=(const AdapterLease&) = delete;
  AdapterId id() const { return id_; }

 private:
  AdapterPool& pool_;
  const std::string name_;
  const AdapterId id_;
};

// Thread-safe. The runner outlives it.
class AdapterPool {
 public:
  AdapterPool(Runner& runner, std::size_t bytes_max) : runner_(runner), bytes_max_(bytes_max) {}

  // Loads it where it is not; another thread that wants the same waits for that, and nobody else
  // does. FailedPrecondition: it is not to be loaded, or larger than the bound. ResourceExhausted:
  // those that requests use leave it no room. Aborted: its
  // key is of the file as it lay there before.
  absl::StatusOr<std::shared_ptr<const AdapterLease>> acquire(const protocol::AdapterRef& adapter);
  std::size_t bytes() const;
  std::int32_t loaded() const;

 private:
  friend class AdapterLease;
  struct Entry {
    bool loading = true;
    LoadedAdapter adapter = {};
    std::int32_t users = 0;
    std::uint64_t used = 0;  // when it was last acquired
  };

  absl::Status keep(const std::string& name, const absl::StatusOr<LoadedAdapter>& loaded);
  bool make_room();
  void release(const std::string& name);

  Runner& runner_;
  const std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Entry> entries_;  // by AdapterRef's id; protected by mutex_, as following
  std::size_t bytes_ = 0;
  std::uint64_t ticks_ = 0;
};

}  // namespace plinth::engine
