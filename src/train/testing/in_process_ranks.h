// The ranks of a run, each a thread of the test's process.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "train/message_collective.h"

namespace plinth::train {

// body(ranks) on each, all at once; a rank whose body has returned is gone.
inline void on_ranks(int count, const std::function<void(Collective& ranks)>& body,
                     std::chrono::milliseconds bound = kRankWaitMax) {
  std::vector<std::thread> threads;
  for (auto& messages : in_process_messages(count)) {
    threads.emplace_back([&body, bound, own = std::move(messages)]() mutable {
      const auto ranks = collective_of(std::move(own), bound);
      body(*ranks);
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace plinth::train
