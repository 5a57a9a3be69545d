// One process of a fine-tuning job, from its start to its end: a job that was paused or died has
// several, one after the other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/tuning_key.h"
#include "apps/tuning_service.h"
#include "apps/tuning_wire.h"

namespace plinth {

// Used by one thread.
class TuningSegment {
 public:
  // The references outlive it. `stopping`: the service is to end.
  TuningSegment(const TuningServiceOptions& options, const TuningParts& parts,
                const store::TuningJobRow& job, std::function<bool()> stopping);

  // Until the process has ended and the job is as that left it. An error is the database's, or the
  // disk's: the job then stays as it is.
  absl::Status run();
  // Of a job that nobody runs: fails it where its files cannot be read any more.
  absl::Status fail_if_lost();

 private:
  struct Data;
  // Seals what the job keeps. Aborted where the job has failed by it.
  absl::Status open_storage();
  absl::StatusOr<Data> open_data();
  // What the job began with: the same for all of its processes that train.
  absl::StatusOr<cluster::TuningBase> find_base();
  absl::Status run_process(const cluster::TuningBase& base, const Data& data);
  absl::Status listen(int output, cluster::WorkerProcess& process);
  void look_at_orders(cluster::WorkerProcess& process);
  absl::Status take_lines(std::string& buffer);
  absl::Status take(const TuningReport& report);
  absl::Status take_begun(const TuningReport& report);
  absl::Status take_step(const TuningReport& report);
  absl::Status take_valid(const TuningReport& report);
  // "train_mean_token_accuracy", or what a run of preferences has in its place.
  std::string accuracy_name(std::string_view of) const;
  absl::Status write_checkpoint();
  absl::Status conclude(const std::string& how);
  absl::Status fail(const governance::TuningError& error);
  absl::Status fail_as_lost(const absl::Status& why);
  // Models that the run made, the job's own last: those before it are its checkpoints.
  struct Made {
    std::string name, folder;
  };
  std::vector<Made> made() const;
  absl::Status install(const std::vector<Made>& models);
  absl::Status withdraw(const std::vector<Made>& models);
  governance::Principal payer() const;
  governance::Demand demand() const;
  absl::StatusOr<governance::Price> price();
  // A refusal where a budget has no room for what the job will cost; InvalidArgument where that is
  // more than a price can count.
  absl::Status hold_money(std::int64_t trained_tokens);
  // Of one that succeeds: in the same transaction, and so once. What it cost, in pico-units.
  absl::StatusOr<std::int64_t> charge(std::int64_t trained_tokens);
  // What was held for it is paid, or nobody knows whether it is.
  void settle(const absl::Status& charged, std::int64_t amount_pico);
  absl::Status publish(std::int64_t trained_tokens);
  absl::StatusOr<std::string> keep_results();
  governance::AuditEvent audit_event(std::string_view type) const;
  governance::FineTuningJobs& jobs() { return parts_.governance.fine_tuning(); }
  std::string finished_path() const { return folder_ + "/finished"; }
  std::string base_path() const { return folder_ + "/base"; }

  const TuningServiceOptions& options_;
  const TuningParts& parts_;
  const store::TuningJobRow job_;
  const std::function<bool()> stopping_;
  const std::string folder_, model_;             // the job's own; what the result is called
  const TuningHyperparameters hyperparameters_;  // as they were asked for
  const bool checks_only_;

  std::string key_;                                     // of the job's files
  std::unique_ptr<governance::SealedStorage> storage_;  // how they lie in folder_
  absl::Status lost_;                                   // why they cannot be read any more
  std::int64_t tokens_ = 0;                             // of the training file
  absl::Status unpaid_;                                 // which budget has no room for the job
  std::optional<governance::Admission::Ticket> money_;  // that budgets keep for it
  std::optional<TuningReport> last_;                    // that says how it ended
  bool asked_to_end_ = false, dropped_ = false;         // the second: nobody wants its result
  base::TimePoint asked_at_{}, looked_at_{}, begun_at_{};
  std::int64_t done_before_ = 0, steps_ = 0, steps_of_epoch_ = 0;
  std::optional<std::int64_t> checkpoint_step_;
  base::json::object checkpoint_metrics_;
};

}  // namespace plinth
