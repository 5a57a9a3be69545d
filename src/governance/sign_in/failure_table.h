// Counts failures by key and says how long each has to wait, in bounded memory.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace plinth::governance {

// Not thread-safe. The n-th failure past `free` makes the key wait 2^(n-1) seconds from then on, up
// to `delay_max`. After kFailuresForgotten without one all are forgotten; past `entries_max` keys
// the one that failed longest ago is.
class FailureTable {
 public:
  struct Rule {
    int free = 0;
    std::chrono::seconds delay_max{0};
    std::size_t entries_max = 0;
  };
  explicit FailureTable(const Rule& rule) : rule_(rule) {}

  // How much longer the key has to wait; zero: not at all.
  base::Duration wait(std::string_view key, base::TimePoint now) const;
  void add(std::string_view key, base::TimePoint now);
  void take_back(std::string_view key);  // the latest
  void forget(std::string_view key);
  std::size_t size() const { return by_key_.size(); }

 private:
  struct Entry {
    std::string key;  // a hash: names of any length take the same memory
    int failures = 0;
    base::TimePoint last;
  };
  using Entries = std::list<Entry>;

  const Rule rule_;
  Entries by_age_;  // by `last`, oldest first
  std::unordered_map<std::string, Entries::iterator> by_key_;
};

}  // namespace plinth::governance
