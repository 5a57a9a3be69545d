#include "apps/tuning_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <filesystem>
#include <thread>

#include "apps/tuning_wire.h"
#include "base/file.h"
#include "governance/money_left.h"
#include "governance/refusal.h"
#include "governance/sealed_storage.h"

namespace plinth {
namespace {

using governance::kTuningCancelled;
using governance::kTuningFailed;
using governance::kTuningQueued;
using governance::kTuningRunning;
using governance::kTuningSucceeded;

// What a process of the test does once it has its task; empty = it reports what makes a job go on.
struct Script {
  std::vector<TuningReport> reports;
  bool waits = false;  // for SIGTERM, after its reports, and then says that it stopped
};

// A process without one: a thread at the other ends of the pipes.
class ScriptedProcess final : public cluster::WorkerProcess {
 public:
  ScriptedProcess(Script script, int input, int output, std::function<void(std::string)> heard)
      : thread_([this, script = std::move(script), in = base::UniqueFd(::dup(input)),
                 out = base::UniqueFd(::dup(output)), heard = std::move(heard)]() mutable {
          run(script, in.get(), out.get(), heard);
          out.reset();
          ended_ = true;
        }) {}
  ~ScriptedProcess() override {
    kill();
    thread_.join();
  }
  void kill() override { killed_ = true; }
  void interrupt() override { interrupted_ = true; }
  std::optional<std::string> ended() override {
    return ended_ ? std::optional<std::string>(killed_ ? "signal 9" : "exit code 0") : std::nullopt;
  }

 private:
  void run(const Script& script, int in, int out, const std::function<void(std::string)>& heard) {
    std::string text;
    char piece[4096];
    for (ssize_t got = ::read(in, piece, sizeof piece); got > 0;
         got = ::read(in, piece, sizeof piece))
      text.append(piece, static_cast<std::size_t>(got));
    heard(text);
    for (const auto& report : script.reports) write(out, report);
    while (script.waits && !killed_ && !interrupted_) std::this_thread::yield();
    if (script.waits && !killed_) write(out, {"stopped", {}});
  }
  static void write(int out, const TuningReport& report) {
    const auto line = to_line(report);
    EXPECT_EQ(::write(out, line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  std::atomic<bool> killed_{false}, interrupted_{false}, ended_{false};
  std::thread thread_;  // last: it uses the fields above
};

class ScriptedExecutor final : public cluster::Executor {
 public:
  absl::StatusOr<std::unique_ptr<cluster::WorkerProcess>> start(
      const cluster::WorkerSpec& spec) override {
    std::lock_guard lock(mutex_);
    if (scripts_.empty()) return base::internal("no script is left");
    auto script = std::move(scripts_.front());
    scripts_.pop_front();
    background = spec.background;
    return std::unique_ptr<cluster::WorkerProcess>(std::make_unique<ScriptedProcess>(
        std::move(script), spec.input, spec.output, [this](std::string text) {
          std::lock_guard inner(mutex_);
          heard_.push_back(std::move(text));
        }));
  }
  void add(Script script) {
    std::lock_guard lock(mutex_);
    scripts_.push_back(std::move(script));
  }
  std::vector<std::string> heard() {
    std::lock_guard lock(mutex_);
    return heard_;
  }
  std::atomic<bool> background{false};

 private:
  std::mutex mutex_;
  std::deque<Script> scripts_;
  std::vector<std::string> heard_;
};

class NotedModels final : public cluster::TunedModels {
 public:
  absl::StatusOr<cluster::TuningBase> find(const std::string& model) override {
    if (model == "gone") return base::not_found("gone");
    return cluster::TuningBase{
        "base", content, "/weights/base", {"theirs", "/adapters/" + model, "/config", "its key"}};
  }
  absl::Status publish(const cluster::TunedAdapter& adapter) override {
    if (adapter.base.content != content) return base::failed_precondition("the base was replaced");
    EXPECT_EQ(adapter.project, "default");
    EXPECT_NE(adapter.storage, nullptr);
    if (on_publish) on_publish();
    published.push_back(adapter.name + " over " + adapter.base.name + " of " +
                        std::filesystem::path(adapter.folder).filename().string());
    return absl::OkStatus();
  }
  absl::Status remove(const std::string& name) override {
    removed.push_back(name);
    return absl::OkStatus();
  }
  std::vector<std::string> published, removed;
  std::function<void()> on_publish;
  std::string content = "ours";  // of the base
};

const Script kChecked{{{"checked", {{"examples", 1}}}, {"valid_files", {}}}};
const Script kTrains{{{"begun", {{"n_epochs", 1}, {"batch_size", 1}, {"steps", 2}, {"done", 0}}},
                      {"step", {{"step", 1}, {"loss", 2.0}, {"accuracy", 0.1}}},
                      {"step", {{"step", 2}, {"loss", 1.0}, {"accuracy", 0.5}, {"skipped", 1}}},
                      {"valid", {{"step", 2}, {"loss", 1.5}, {"accuracy", 0.4}}},
                      {"finished", {{"trained_tokens", 42}}}}};

class TuningServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "tuning_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    database_ = *store::Database::open(home_ + "/plinth.db");
    governance_ = *governance::Governance::open(home_, *database_, clock_);
    file_ = add_file("a line of the training file\n");
  }
  void TearDown() override {
    service_.reset();
    governance_.reset();
    std::filesystem::remove_all(home_);
  }
  std::string add_file(const std::string& body) {
    auto writer = governance_->files().begin("default", "default");
    EXPECT_TRUE(writer.ok() && writer->write(body).ok());
    return governance_->files()
        .commit(*std::move(writer), "default", "default", {"fine-tune", "a.jsonl"})
        ->id;
  }
  void start() {
    TuningServiceOptions options;
    options.folder = home_ + "/tuning";
    options.log_path = home_ + "/log";
    options.runner = "home";
    options.poll = std::chrono::milliseconds(1);
    service_ = *TuningService::start(options, {*governance_, executor_, models_, clock_});
  }
  store::TuningJobRow add(const std::string& model = "base") {
    return *jobs().create({"default", "default", model, file_, "", {}});
  }
  store::TuningJobRow now(const store::TuningJobRow& job) {
    return *jobs().find("default", job.id);
  }
  store::TuningJobRow wait(const store::TuningJobRow& job, const std::string& status) {
    for (int i = 0; i < 2000; ++i) {
      if (now(job).status == status) return now(job);
      ::usleep(5000);
    }
    ADD_FAILURE() << "is " << now(job).status << ", not " << status;
    return now(job);
  }
  // Of all events of a job, oldest first.
  std::vector<std::string> said(const store::TuningJobRow& job) {
    std::vector<std::string> texts;
    const auto events = jobs().events("default", job.id, {"", 100, false});
    EXPECT_TRUE(events.ok()) << events.status();
    for (const auto& event : events->rows) texts.push_back(event.message);
    return texts;
  }
  void wait_until_said(const store::TuningJobRow& job, const std::string& text) {
    for (int i = 0; i < 2000; ++i) {
      const auto texts = said(job);
      if (std::find(texts.begin(), texts.end(), text) != texts.end()) return;
      ::usleep(5000);
    }
    ADD_FAILURE() << "did not say: " << text;
  }
  governance::FineTuningJobs& jobs() { return governance_->fine_tuning(); }
  // Of the project, a day.
  void set_budget(std::int64_t pico) {
    ASSERT_TRUE(governance_->admission().set_budget({"project", "default", "day", pico}).ok());
  }
  // What another job of the project would hear that trains so many tokens.
  absl::Status hold(std::int64_t tokens) {
    governance::Principal payer;
    payer.project = "default";
    governance::TokenCount most;
    most.input = tokens;
    governance::Demand demand{"base"};
    demand.service_class = "training";
    return governance::hold_money(governance_->admission(), payer, demand, most).status();
  }

  std::string home_, file_;
  base::RealClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<governance::Governance> governance_;
  ScriptedExecutor executor_;
  NotedModels models_;
  std::unique_ptr<TuningService> service_;
};

TEST_F(TuningServiceTest, RunsAJobToItsModel) {
  executor_.add(kChecked);
  executor_.add(kTrains);
  const auto job = add();
  start();
  const auto done = wait(job, kTuningSucceeded);
  EXPECT_EQ(done.trained_tokens, 42);
  const auto name = governance::FineTuningJobs::tuned_model_name(job);
  EXPECT_EQ(done.tuned_model, name);
  EXPECT_EQ(models_.published, std::vector<std::string>{name + " over base of adapter"});
  EXPECT_FALSE(governance_->model_permissions().may_call("other", {name}));
  EXPECT_TRUE(governance_->model_permissions().may_call("default", {name}));
  EXPECT_TRUE(executor_.background);
  const auto checkpoints = *jobs().checkpoints("default", job.id, {"", 10, true});
  ASSERT_EQ(checkpoints.rows.size(), 1u);
  EXPECT_EQ(checkpoints.rows[0].model, name);
  EXPECT_THAT(checkpoints.rows[0].metrics, testing::HasSubstr("full_valid_loss"));
  const auto events = *jobs().events("default", job.id, {"", 100, true});
  EXPECT_EQ(std::count_if(events.rows.begin(), events.rows.end(),
                          [](const auto& row) {
                            return row.level == "warn" &&
                                   row.message.starts_with("Step 2 is a spike");
                          }),
            1);
  const auto heard = executor_.heard();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_THAT(heard[1], testing::EndsWith("}\na line of the training file\n"));
  service_.reset();
  EXPECT_FALSE(std::filesystem::exists(home_ + "/tuning/" + job.id));
}

TEST_F(TuningServiceTest, WhatIsCancelledInTheLastMomentLeavesNothing) {
  executor_.add(kChecked);
  executor_.add(kTrains);
  const auto job = add();
  const auto folder = home_ + "/tuning/" + job.id;
  ASSERT_TRUE(base::make_folders(folder + "/epochs/1").ok());
  models_.on_publish = [&] { (void)jobs().cancel("default", job.id); };
  start();
  wait(job, kTuningCancelled);
  for (int i = 0; i < 2000 && std::filesystem::exists(folder); ++i) ::usleep(5000);
  service_.reset();
  const auto name = governance::FineTuningJobs::tuned_model_name(job);
  EXPECT_EQ(models_.removed, (std::vector<std::string>{name + ":ckpt-step-1", name}));
  EXPECT_FALSE(governance_->model_permissions().has_owner(name));
  EXPECT_FALSE(now(job).tuned_model);
}

TEST_F(TuningServiceTest, WhatWasLearntIsChargedOnce) {
  ASSERT_TRUE(governance_->admission().insert_price({"", "training", 0, 7, 0, 0, 0}).ok());
  executor_.add(kChecked);
  executor_.add(kTrains);
  executor_.add({{{"failed", {{"code", "x"}, {"message", "no"}}}}});
  const auto job = add();
  start();
  wait(job, kTuningSucceeded);
  wait(add(), kTuningFailed);
  std::vector<store::LedgerRow> rows;
  ASSERT_TRUE(governance_->usage()
                  .each_row("default", 0, 4'102'444'800'000,
                            [&](const store::LedgerRow& row) { rows.push_back(row); })
                  .ok());
  ASSERT_EQ(rows.size(), 1u) << "what failed costs nothing";
  EXPECT_EQ(rows[0].id, job.id);
  EXPECT_EQ(rows[0].project, "default");
  EXPECT_EQ(rows[0].operation, "fine_tuning");
  EXPECT_EQ(rows[0].input_tokens, 42);
  EXPECT_EQ(rows[0].amount_pico, 42 * 7);
  EXPECT_EQ(rows[0].device_us, now(job).device_ms * 1000);
}

TEST_F(TuningServiceTest, WhatABudgetHasNoRoomForIsNotTrained) {
  ASSERT_TRUE(governance_->admission().insert_price({"", "training", 0, 7, 0, 0, 0}).ok());
  auto twice = kTrains;
  twice.reports.front().fields["n_epochs"] = 2;
  twice.reports.insert(twice.reports.begin(), {"checked", {{"tokens", 21}}});
  for (const std::int64_t short_by : {1, 0}) {
    executor_.add(kChecked);
    executor_.add(twice);
    set_budget(2 * 21 * 7 - short_by);
    const auto job = add();
    if (!service_) start();
    const auto ended = wait(job, short_by > 0 ? kTuningFailed : kTuningSucceeded);
    EXPECT_EQ(models_.published.empty(), short_by > 0);
    if (short_by == 0) continue;
    EXPECT_THAT(ended.progress, testing::HasSubstr("exceeded_quota"));
    EXPECT_THAT(ended.progress, testing::HasSubstr("budget of project default a day"));
  }
}

TEST_F(TuningServiceTest, WhatAJobWillCostIsItsOwnWhileItRuns) {
  ASSERT_TRUE(governance_->admission().insert_price({"", "training", 0, 7, 0, 0, 0}).ok());
  set_budget(100);
  const TuningReport checked{"checked", {{"tokens", 10}}}, begun = kTrains.reports.front();
  executor_.add(kChecked);
  executor_.add({{checked, begun}, true});
  const auto job = add();
  start();
  wait_until_said(job, "Fine-tuning job started");
  EXPECT_TRUE(governance::refusal_of(hold(5))) << "70 of 100 are the job's";
  EXPECT_TRUE(hold(4).ok());
  ASSERT_TRUE(jobs().pause("default", job.id).ok());
  wait(job, governance::kTuningPaused);
  bool is_free = false;
  for (int i = 0; i < 2000 && !is_free; ++i, ::usleep(5000)) is_free = hold(14).ok();
  EXPECT_TRUE(is_free) << "one that is paused holds nothing";

  auto finishes = kTrains;
  finishes.reports.insert(finishes.reports.begin(), checked);
  finishes.reports.back().fields["trained_tokens"] = 10;
  executor_.add(finishes);
  ASSERT_TRUE(jobs().resume("default", job.id).ok());
  wait(job, kTuningSucceeded);
  service_.reset();
  EXPECT_TRUE(governance::refusal_of(hold(5))) << "70 of 100 are spent";
  EXPECT_TRUE(hold(4).ok());
}

TEST_F(TuningServiceTest, WhatHasBegunIsTrainedToItsEnd) {
  ASSERT_TRUE(governance_->admission().insert_price({"", "training", 0, 7, 0, 0, 0}).ok());
  set_budget(69);
  auto goes_on = kTrains;
  goes_on.reports.front().fields["done"] = 1;
  goes_on.reports.insert(goes_on.reports.begin(), {"checked", {{"tokens", 10}}});
  executor_.add(kChecked);
  executor_.add(goes_on);
  const auto job = add();
  start();
  wait(job, kTuningSucceeded);
  EXPECT_THAT(said(job), testing::Contains(testing::HasSubstr("goes on all the same")));
}

TEST_F(TuningServiceTest, EndsOfEpochsBecomeModelsToo) {
  executor_.add(kChecked);
  executor_.add(kTrains);
  const auto job = add();
  const auto epochs = home_ + "/tuning/" + job.id + "/epochs/";
  for (const auto* step : {"12", "4", "x"}) ASSERT_TRUE(base::make_folders(epochs + step).ok());
  start();
  wait(job, kTuningSucceeded);
  const auto name = governance::FineTuningJobs::tuned_model_name(job);
  EXPECT_EQ(models_.published, (std::vector<std::string>{name + ":ckpt-step-4 over base of 4",
                                                         name + ":ckpt-step-12 over base of 12",
                                                         name + " over base of adapter"}));
  EXPECT_TRUE(governance_->model_permissions().owns("default", name + ":ckpt-step-4"));
}

TEST_F(TuningServiceTest, AProcessThatDiesIsStartedAgainAFewTimes) {
  executor_.add(kChecked);
  for (std::int64_t i = 0; i < governance::kTuningCrashesMax; ++i) executor_.add({});
  const auto job = add();
  start();
  const auto failed = wait(job, kTuningFailed);
  EXPECT_EQ(failed.crashes, governance::kTuningCrashesMax);
  EXPECT_THAT(failed.progress, testing::HasSubstr("training_process_ended"));
}

TEST_F(TuningServiceTest, OneCrashIsNoFailure) {
  executor_.add(kChecked);
  executor_.add({});
  executor_.add(kTrains);
  const auto job = add();
  start();
  EXPECT_EQ(wait(job, kTuningSucceeded).crashes, 1);
}

TEST_F(TuningServiceTest, APausedJobStopsAndGoesOn) {
  executor_.add(kChecked);
  executor_.add({{}, true});
  executor_.add(kTrains);
  const auto job = add();
  start();
  wait(job, kTuningRunning);
  ASSERT_TRUE(jobs().pause("default", job.id).ok());
  ASSERT_TRUE(jobs().resume("default", job.id).ok());
  EXPECT_EQ(wait(job, kTuningSucceeded).crashes, 0);
}

TEST_F(TuningServiceTest, ACancelledJobIsKilledAndLeavesNothing) {
  executor_.add(kChecked);
  executor_.add({{}, true});
  const auto job = add();
  start();
  wait(job, kTuningRunning);
  const auto folder = home_ + "/tuning/" + job.id;
  EXPECT_TRUE(std::filesystem::exists(folder));
  ASSERT_TRUE(jobs().cancel("default", job.id).ok());
  for (int i = 0; i < 2000 && std::filesystem::exists(folder); ++i) ::usleep(5000);
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_EQ(now(job).status, kTuningCancelled);
  EXPECT_TRUE(models_.published.empty());
}

// The key is content of the project, and the same for every process of the job.
TEST_F(TuningServiceTest, AJobHasOneKeyWhichGoesWithIt) {
  executor_.add(kChecked);
  executor_.add({{}, true});
  executor_.add(kTrains);
  const auto job = add();
  start();
  wait(job, kTuningRunning);
  for (int i = 0; i < 2000 && executor_.heard().size() < 2; ++i) ::usleep(5000);
  const auto kept = governance_->content().find("key-" + job.id);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->project, "default");
  service_.reset();
  // New keys of the project are not new ones of the job.
  ASSERT_TRUE(governance_->vault().renew_keys("default", "").ok());
  start();
  wait(job, kTuningSucceeded);
  service_.reset();
  const auto heard = executor_.heard();
  ASSERT_EQ(heard.size(), 3u);
  std::vector<std::string> keys;
  for (const auto& text : heard) keys.push_back(parse_task(text.substr(0, text.find('\n')))->key);
  EXPECT_EQ(keys[0], "") << "nothing is kept of a look at the data";
  EXPECT_EQ(keys[1].size(), governance::kStorageKeyBytes);
  EXPECT_EQ(keys[2], keys[1]);
  EXPECT_TRUE(absl::IsNotFound(governance_->content().find("key-" + job.id).status()));
}

TEST_F(TuningServiceTest, ShreddingEndsAJobThatRuns) {
  executor_.add(kChecked);
  executor_.add({{}, true});
  const auto job = add();
  start();
  wait(job, kTuningRunning);
  for (int i = 0; i < 2000 && executor_.heard().size() < 2; ++i) ::usleep(5000);
  ASSERT_TRUE(governance_->vault().shred("default", "default").ok());
  const auto failed = wait(job, kTuningFailed);
  EXPECT_THAT(failed.progress, testing::HasSubstr("content_not_readable"));
  EXPECT_THAT(failed.progress, testing::HasSubstr("keys of the project were destroyed"));
  service_.reset();
  EXPECT_FALSE(std::filesystem::exists(home_ + "/tuning/" + job.id));
  EXPECT_EQ(failed.crashes, 0);
}

TEST_F(TuningServiceTest, ShreddingEndsAJobThatIsPaused) {
  executor_.add(kChecked);
  executor_.add({{}, true});
  const auto job = add();
  start();
  wait(job, kTuningRunning);
  for (int i = 0; i < 2000 && executor_.heard().size() < 2; ++i) ::usleep(5000);
  ASSERT_TRUE(jobs().pause("default", job.id).ok());
  const auto folder = home_ + "/tuning/" + job.id;
  ASSERT_TRUE(std::filesystem::exists(folder));
  ASSERT_TRUE(governance_->vault().shred("default", "default").ok());
  EXPECT_THAT(wait(job, kTuningFailed).progress, testing::HasSubstr("content_not_readable"));
  for (int i = 0; i < 2000 && std::filesystem::exists(folder); ++i) ::usleep(5000);
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST_F(TuningServiceTest, AProjectThatKeepsNothingTrainsNothing) {
  executor_.add(kChecked);
  const auto job = add();
  governance::RetentionSetting zero;
  zero.type = "zero_data_retention";
  ASSERT_TRUE(governance_->retention().set_project("default", zero).ok());
  start();
  EXPECT_THAT(wait(job, kTuningFailed).progress, testing::HasSubstr("zero data retention"));
}

// It was begun by a version that kept its files in the open.
TEST_F(TuningServiceTest, AJobOfBeforeGoesOn) {
  executor_.add(kChecked);
  executor_.add(kTrains);
  const auto job = add();
  const auto folder = home_ + "/tuning/" + job.id;
  ASSERT_TRUE(base::make_folders(folder + "/checkpoints").ok());
  ASSERT_TRUE(base::write_file_atomic(folder + "/base", "base ours theirs").ok());
  ASSERT_TRUE(base::write_file_atomic(folder + "/results.csv", kTuningResultsHead).ok());
  start();
  const auto done = wait(job, kTuningSucceeded);
  ASSERT_TRUE(done.result_file);
  const auto file = *governance_->files().find("default", "default", *done.result_file);
  EXPECT_EQ(*governance_->files().open_body(file)->read(0, 1000), kTuningResultsHead);
}

TEST_F(TuningServiceTest, TheEndOfTheServiceIsNoCrash) {
  executor_.add(kChecked);
  executor_.add({{}, true});
  executor_.add(kTrains);
  const auto job = add();
  start();
  wait(job, kTuningRunning);
  service_.reset();
  EXPECT_EQ(now(job).status, kTuningQueued);
  start();
  EXPECT_EQ(wait(job, kTuningSucceeded).crashes, 0);
}

TEST_F(TuningServiceTest, WhatIsWrongWithTheDataIsTheJobsError) {
  executor_.add({{{"failed",
                   {{"code", "invalid_training_file"},
                    {"message", "training_file: line 1: no"},
                    {"param", "training_file"}}}}});
  const auto job = add();
  start();
  const auto failed = wait(job, kTuningFailed);
  EXPECT_THAT(failed.progress, testing::HasSubstr("line 1: no"));
  EXPECT_THAT(said(job), testing::Contains("training_file: line 1: no"));
}

TEST_F(TuningServiceTest, AModelThatIsGoneFailsTheJob) {
  const auto job = add("gone");
  start();
  EXPECT_THAT(wait(job, kTuningFailed).progress, testing::HasSubstr("model_not_available"));
}

TEST_F(TuningServiceTest, ABaseThatIsReplacedFailsTheJob) {
  executor_.add(kChecked);
  executor_.add({{}, true});
  const auto job = add();
  start();
  wait(job, kTuningRunning);
  service_.reset();
  models_.content = "another";
  start();
  EXPECT_THAT(wait(job, kTuningFailed).progress, testing::HasSubstr("was replaced by another"));
}

TEST_F(TuningServiceTest, AJobOverAnAdapterBeginsWithIt) {
  executor_.add(kChecked);
  executor_.add(kTrains);
  const auto job = add("style");
  start();
  wait(job, kTuningSucceeded);
  const auto task = parse_task(executor_.heard()[1].substr(0, executor_.heard()[1].find('\n')));
  ASSERT_TRUE(task.ok());
  EXPECT_EQ(task->base_name, "base");
  EXPECT_EQ(task->adapter.id, "theirs");
  EXPECT_EQ(task->adapter.path, "/adapters/style");
  EXPECT_EQ(task->adapter.config_path, "/config");
  EXPECT_EQ(task->adapter.key, "its key");
}

TEST_F(TuningServiceTest, PreferencesHaveFiguresOfTheirOwn) {
  executor_.add(kChecked);
  executor_.add({{{"begun", {{"n_epochs", 1}, {"batch_size", 1}, {"beta", 0.2}, {"steps", 1}}},
                  {"step", {{"step", 1}, {"loss", 0.7}, {"accuracy", 0.5}, {"margin", 0.25}}},
                  {"finished", {{"trained_tokens", 1}}}}});
  const auto method =
      *base::parse_json(R"({"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2}}})");
  const auto job = *jobs().create({"default", "default", "base", file_, "", {{"method", method}}});
  start();
  EXPECT_THAT(wait(job, kTuningSucceeded).progress, testing::HasSubstr("\"beta\":0.2"));
  const auto events = *jobs().events("default", job.id, {"", 100, true});
  const auto step = std::find_if(events.rows.begin(), events.rows.end(),
                                 [](const auto& event) { return event.type == "metrics"; });
  ASSERT_NE(step, events.rows.end());
  EXPECT_THAT(step->data, testing::HasSubstr("train_preference_accuracy"));
  EXPECT_THAT(step->data, testing::HasSubstr("train_reward_margin"));
  const auto task = parse_task(executor_.heard()[1].substr(0, executor_.heard()[1].find('\n')));
  ASSERT_TRUE(task.ok());
  EXPECT_TRUE(task->hyperparameters.prefers);
  EXPECT_EQ(task->hyperparameters.beta, 0.2);
}

TEST(TuningWire, ATaskComesAsItWent) {
  TuningTask task;
  task.base_name = "base";
  task.base_path = "/b";
  task.folder = "/f";
  task.hyperparameters.epochs = 3;
  task.hyperparameters.learning_rate_multiplier = 0.5;
  task.hyperparameters.targets = {"q"};
  task.seed = 9;
  task.key = std::string("\0key\xff", 5);
  task.adapter = {"id", "/a", "/c", std::string("\n\0", 2)};
  task.train_bytes = 10;
  const auto line = to_line(task);
  const auto read = parse_task(line);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(to_line(*read), line);
  EXPECT_EQ(read->key, task.key);
  EXPECT_EQ(read->adapter, task.adapter);
  auto wrong = line;
  wrong.replace(wrong.find("006b"), 2, "x6");
  const auto refused = parse_task(wrong).status();
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.message()), testing::Not(testing::HasSubstr("6b65")));
  EXPECT_EQ(read->hyperparameters.epochs, 3);
  EXPECT_EQ(read->hyperparameters.batch_size, std::nullopt);
  EXPECT_FALSE(parse_task("{}").ok());
  EXPECT_FALSE(parse_report("{\"step\":1}").ok());
}

}  // namespace
}  // namespace plinth
