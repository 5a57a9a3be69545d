#include "governance/fine_tuning_jobs.h"

#include <gtest/gtest.h>

#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

using base::json::object;

class FineTuningJobsTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    auto scratch = store::ScratchDatabase::make(GetParam());
    ASSERT_TRUE(scratch.ok()) << scratch.status();
    scratch_ = *std::move(scratch);
    database_ = *store::Database::open(scratch_->where());
  }
  FineTuningJobs jobs() { return {*database_, clock_, system_random_bytes, {4, 6}}; }
  store::TuningJobRow add(const std::string& project = "a") {
    clock_.advance(std::chrono::seconds(1));
    const auto row =
        jobs().create({"org", project, "base", "file-1", "", {{"suffix", "my model"}}});
    EXPECT_TRUE(row.ok()) << row.status();
    return *row;
  }
  // One that has passed its check, in the queue.
  store::TuningJobRow queued(const std::string& project = "a") {
    const auto row = add(project);
    EXPECT_EQ((*jobs().next("home"))->id, row.id);
    EXPECT_TRUE(jobs().validated(row.id).ok());
    return now(row);
  }
  store::TuningJobRow running() {
    const auto row = queued();
    EXPECT_EQ((*jobs().next("home"))->id, row.id);
    return now(row);
  }
  store::TuningJobRow now(const store::TuningJobRow& row) {
    return *jobs().find(row.project, row.id);
  }
  std::string next_id(const std::string& runner = "home") {
    const auto next = jobs().next(runner);
    EXPECT_TRUE(next.ok()) << next.status();
    return *next ? (*next)->id : "";
  }

  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
};

TEST_P(FineTuningJobsTest, GoesItsWay) {
  const auto made = add();
  EXPECT_TRUE(made.id.starts_with("ftjob-"));
  EXPECT_EQ(made.status, kTuningValidating);
  EXPECT_EQ(next_id(), made.id);
  EXPECT_EQ(now(made).status, kTuningValidating) << "it is checked, and does not run yet";
  ASSERT_TRUE(jobs().validated(made.id).ok());
  EXPECT_EQ(now(made).status, kTuningQueued);
  EXPECT_EQ(next_id(), made.id);
  EXPECT_EQ(now(made).status, kTuningRunning);
  EXPECT_EQ(next_id(), "") << "a running job is nobody else's";
  ASSERT_TRUE(*jobs().succeeded(made.id, {"ft:base:a::1", "file-2", 77}));
  const auto done = now(made);
  EXPECT_EQ(done.status, kTuningSucceeded);
  EXPECT_EQ(done.finished_s, clock_.unix_seconds());
  EXPECT_EQ(done.trained_tokens, 77);
  EXPECT_EQ(done.tuned_model, "ft:base:a::1");
  EXPECT_FALSE(*jobs().failed(made.id, {"late", "late", ""})) << "over is over";
}

TEST_P(FineTuningJobsTest, IsSeenByItsProjectAlone) {
  const auto made = add();
  EXPECT_EQ(jobs().find("b", made.id).status(),
            base::not_found("Could not find fine tune: " + made.id));
  EXPECT_TRUE(absl::IsNotFound(jobs().cancel("b", made.id).status()));
  EXPECT_TRUE(absl::IsNotFound(jobs().events("b", made.id, {}).status()));
  EXPECT_TRUE(absl::IsNotFound(jobs().checkpoints("b", made.id, {}).status()));
  EXPECT_TRUE(jobs().list("b", {})->rows.empty());
  EXPECT_EQ(now(made).status, kTuningValidating);
}

TEST_P(FineTuningJobsTest, PausesAndGoesOnWhereItWas) {
  const auto unchecked = add();
  EXPECT_EQ(jobs().pause("a", unchecked.id)->status, kTuningPaused);
  EXPECT_EQ(next_id(), "");
  EXPECT_EQ(jobs().resume("a", unchecked.id)->status, kTuningValidating);
  ASSERT_TRUE(jobs().cancel("a", unchecked.id).ok());

  const auto job = running();
  EXPECT_EQ(jobs().pause("a", job.id)->status, kTuningPaused);
  ASSERT_TRUE(jobs().stopped(job.id).ok());
  EXPECT_EQ(now(job).status, kTuningPaused) << "its process's end does not put it into the queue";
  EXPECT_EQ(jobs().resume("a", job.id)->status, kTuningQueued);
  EXPECT_EQ(next_id(), job.id);
}

TEST_P(FineTuningJobsTest, RefusesWhatMakesNoSense) {
  const auto job = running();
  EXPECT_TRUE(absl::IsFailedPrecondition(jobs().resume("a", job.id).status()));
  ASSERT_TRUE(jobs().pause("a", job.id).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(jobs().pause("a", job.id).status()));
  EXPECT_EQ(jobs().cancel("a", job.id)->status, kTuningCancelled);
  for (const auto act :
       {&FineTuningJobs::cancel, &FineTuningJobs::pause, &FineTuningJobs::resume}) {
    auto all = jobs();
    const auto status = (all.*act)("a", job.id).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  }
  EXPECT_FALSE(*jobs().succeeded(job.id, {"m", "f", 1})) << "a cancelled job stays cancelled";
  EXPECT_EQ(now(job).tuned_model, std::nullopt);
}

TEST_P(FineTuningJobsTest, GoesOnAfterACrashAFewTimes) {
  const auto job = running();
  for (std::int64_t crash = 1; crash < kTuningCrashesMax; ++crash) {
    ASSERT_TRUE(jobs().crashed(job.id, "signal 9").ok());
    EXPECT_EQ(now(job).status, kTuningQueued);
    EXPECT_EQ(next_id(), job.id);
  }
  ASSERT_TRUE(jobs().crashed(job.id, "signal 9").ok());
  const auto failed = now(job);
  EXPECT_EQ(failed.status, kTuningFailed);
  EXPECT_NE(failed.progress.find("training_process_ended"), std::string::npos) << failed.progress;
  EXPECT_NE(failed.progress.find("signal 9"), std::string::npos);
}

TEST_P(FineTuningJobsTest, ARunnerTakesItsOwnUpAgain) {
  const auto job = running();
  ASSERT_TRUE(jobs().take_over("another").ok());
  EXPECT_EQ(now(job).status, kTuningRunning);
  ASSERT_TRUE(jobs().take_over("home").ok());
  EXPECT_EQ(now(job).status, kTuningQueued);
  EXPECT_EQ(now(job).crashes, 0) << "the service's end is not the job's fault";
  EXPECT_EQ(next_id("another"), "") << "its checkpoints lie in the other home";
  EXPECT_EQ(next_id("home"), job.id);
}

TEST_P(FineTuningJobsTest, ProjectsTakeTurns) {
  const auto first = queued("a"), second = queued("a"), other = queued("b");
  EXPECT_EQ(next_id(), first.id);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(next_id(), other.id) << "b had no turn";
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(next_id(), second.id);
}

TEST_P(FineTuningJobsTest, BoundsWhatIsNotOver) {
  std::vector<store::TuningJobRow> all;
  for (int i = 0; i < 4; ++i) all.push_back(add("a"));
  EXPECT_TRUE(absl::IsResourceExhausted(jobs().create({"org", "a", "base", "f", "", {}}).status()));
  for (int i = 0; i < 2; ++i) add("b");
  EXPECT_TRUE(absl::IsResourceExhausted(jobs().create({"org", "b", "base", "f", "", {}}).status()))
      << "6 of all projects";
  ASSERT_TRUE(jobs().cancel("a", all[0].id).ok());
  EXPECT_TRUE(jobs().create({"org", "a", "base", "f", "", {}}).ok());
}

TEST_P(FineTuningJobsTest, ListsAreNewestFirstWithStableCursors) {
  const auto job = add();
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(jobs().add_event(job.id, "info", std::to_string(i), object{{"step", i}}).ok());
  store::PageRequest page{"", 2, true};
  const auto first = *jobs().events("a", job.id, page);
  ASSERT_EQ(first.rows.size(), 2u);
  EXPECT_TRUE(first.has_more);
  EXPECT_EQ(first.rows[0].message, "4");
  EXPECT_EQ(first.rows[0].type, "metrics");
  ASSERT_TRUE(jobs().add_event(job.id, "info", "new").ok());
  page.after = first.rows[1].id;
  EXPECT_EQ(jobs().events("a", job.id, page)->rows[0].message, "2");
  page.after = "ftevent-none";
  EXPECT_TRUE(absl::IsNotFound(jobs().events("a", job.id, page).status()));
}

TEST_P(FineTuningJobsTest, AStepHasOneCheckpoint) {
  const auto job = add();
  ASSERT_TRUE(jobs().add_checkpoint(job.id, 4, "m:ckpt-step-4", {{"train_loss", 2.0}}).ok());
  ASSERT_TRUE(jobs().add_checkpoint(job.id, 4, "m:ckpt-step-4", {{"train_loss", 1.0}}).ok());
  ASSERT_TRUE(jobs().add_checkpoint(job.id, 8, "m", {}).ok());
  const auto page = *jobs().checkpoints("a", job.id, {"", 10, true});
  ASSERT_EQ(page.rows.size(), 2u);
  EXPECT_EQ(page.rows[0].step, 8);
  EXPECT_EQ(page.rows[1].metrics, "{\"train_loss\":1.0}");
}

TEST_P(FineTuningJobsTest, TheNewestCheckpointsAreKept) {
  const auto job = add(), other = add();
  ASSERT_TRUE(jobs().add_checkpoint(other.id, 1, "o", {}).ok());
  for (const std::int64_t step : {2, 4, 6, 8})
    ASSERT_TRUE(jobs().add_checkpoint(job.id, step, "m", {}).ok());
  const auto page = *jobs().checkpoints("a", job.id, {"", 10, true});
  ASSERT_EQ(page.rows.size(), static_cast<std::size_t>(kTuningCheckpointsKept));
  EXPECT_EQ(page.rows.back().step, 4);
  EXPECT_EQ(jobs().checkpoints("a", other.id, {"", 10, true})->rows.size(), 1u);
}

TEST_P(FineTuningJobsTest, AListMayBeOfSomeAlone) {
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(add().id);
  const auto odd = [&](const store::TuningJobRow& job) {
    return job.id == ids[1] || job.id == ids[3];
  };
  const auto first = *jobs().list("a", {"", 1, true}, odd);
  ASSERT_EQ(first.rows.size(), 1u);
  EXPECT_EQ(first.rows[0].id, ids[3]);
  EXPECT_TRUE(first.has_more);
  const auto second = *jobs().list("a", {ids[3], 1, true}, odd);
  ASSERT_EQ(second.rows.size(), 1u);
  EXPECT_EQ(second.rows[0].id, ids[1]);
  EXPECT_FALSE(second.has_more);
}

TEST_P(FineTuningJobsTest, AJobThatIsOverCanBeForgotten) {
  const auto job = add(), other = add();
  EXPECT_TRUE(absl::IsFailedPrecondition(jobs().remove("a", job.id)));
  ASSERT_TRUE(jobs().cancel("a", job.id).ok());
  EXPECT_TRUE(absl::IsNotFound(jobs().remove("b", job.id)));
  ASSERT_TRUE(jobs().remove("a", job.id).ok());
  EXPECT_TRUE(absl::IsNotFound(jobs().find("a", job.id).status()));
  EXPECT_TRUE(absl::IsNotFound(jobs().events("a", job.id, {}).status()));
  EXPECT_FALSE(jobs().events("a", other.id, {})->rows.empty());
}

TEST_P(FineTuningJobsTest, NamesWhatItMakes) {
  auto job = add();
  const auto name = FineTuningJobs::tuned_model_name(job);
  EXPECT_EQ(name, "ft:base:a:my-model:" + job.id.substr(6, 8));
  job.model = name;
  EXPECT_TRUE(FineTuningJobs::tuned_model_name(job).starts_with("ft:base:a:my-model:"))
      << "names do not grow from one run over another";
  EXPECT_EQ(FineTuningJobs::checkpoint_name(name, 12), name + ":ckpt-step-12");
}

INSTANTIATE_TEST_SUITE_P(All, FineTuningJobsTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& dialect) { return store::dialect_name(dialect.param); });

}  // namespace
}  // namespace plinth::governance
