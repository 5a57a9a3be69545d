// Runs fine-tuning jobs beside the serving of models: takes them from governance's queue, starts a
// process for each, writes down what it says, and makes what it leaves a model.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "cluster/executor.h"
#include "cluster/tuned_models.h"
#include "governance/governance.h"

namespace plinth {

struct TuningServiceOptions {
  std::string folder;              // of jobs' folders; made, for this user alone
  std::string log_path;            // what the processes say beside their reports
  std::string runner;              // this home's name, the same after every start
  int jobs = 1;                    // at once
  int threads = 1;                 // of each
  std::uint64_t memory_bytes = 0;  // of each; 0 = unbounded
  base::Duration poll = std::chrono::milliseconds(500);  // how late an order may be seen
  base::Duration stop_grace = std::chrono::seconds(20);  // from being asked to end to being killed
};

// All outlive the service.
struct TuningParts {
  governance::Governance& governance;
  cluster::Executor& executor;
  cluster::TunedModels& models;
  const base::Clock& clock;
};

// A name for a home, made once and kept in it.
absl::StatusOr<std::string> runner_name(const std::string& folder);

// Thread-safe.
class TuningService {
 public:
  static absl::StatusOr<std::unique_ptr<TuningService>> start(const TuningServiceOptions& options,
                                                              const TuningParts& parts);
  // Has the running processes leave checkpoints, and ends.
  ~TuningService();

 private:
  TuningService(const TuningServiceOptions& options, const TuningParts& parts)
      : options_(options), parts_(parts) {}
  void run();
  bool run_next();
  void keep_swept();
  void sweep();  // with mutex_ held

  const TuningServiceOptions options_;
  const TuningParts parts_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;             // protected by mutex_
  std::set<std::string> running_;     // ids of jobs; protected by mutex_
  std::vector<std::thread> threads_;  // last: they use the fields above
};

}  // namespace plinth
