// The thread that does what is due.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "governance/content_store.h"

namespace plinth::governance {

struct ContentStore::Keeper {
  explicit Keeper(ContentStore& store);
  ~Keeper();
  void keep(ContentStore& store);

  std::mutex mutex;
  std::condition_variable stopped;
  bool stopping = false;  // protected by mutex
  std::thread thread;
};

}  // namespace plinth::governance
