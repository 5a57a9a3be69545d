#include "cluster/fleet.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "cluster/adapter_install.h"
#include "cluster/fake_executor.h"

namespace plinth::cluster {
namespace {

using protocol::GenerateEvent;

// What a client would have seen of one call.
class Listener {
 public:
  GenerateSink sink() {
    return [this](std::vector<GenerateEvent> events) {
      std::lock_guard lock(mutex_);
      for (auto& event : events) {
        if (std::holds_alternative<protocol::Delta>(event)) ++deltas_;
        if (auto* finished = std::get_if<protocol::Finished>(&event)) {
          ++endings_;
          status_ = finished->status;
        }
      }
      changed_.notify_all();
    };
  }
  // The status of the end; DeadlineExceeded where none comes.
  absl::Status end() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [&] { return endings_ > 0; }))
      return absl::DeadlineExceededError("no end came");
    return status_;
  }
  bool started() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return deltas_ > 0; });
  }
  int endings() {
    std::lock_guard lock(mutex_);
    return endings_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int deltas_ = 0, endings_ = 0;
  absl::Status status_;
};

class FleetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "fleet_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    library_.emplace(*ModelLibrary::open(home_));
    options_.run_folder = home_ + "/run";
    options_.log_folder = home_ + "/logs";
  }
  void TearDown() override {
    fleet_.reset();
    EXPECT_EQ(executor_.running(), 0) << "a worker outlived its fleet";
    std::filesystem::remove_all(home_);
  }

  void install(const std::string& name, std::uint64_t bytes = 0) {
    const std::string sha(64, 'a');
    if (!library_->blobs().has(sha)) {
      const std::string file = library_->blobs().partial_folder() + "/weights";
      ASSERT_TRUE(base::make_folders(library_->blobs().partial_folder()).ok());
      std::ofstream(file) << "weights";
      ASSERT_TRUE(library_->blobs().adopt(file, sha).ok());
    }
    ASSERT_TRUE(
        library_->install({name, name, "chat", "MIT", 1, {{"weights.bin", sha, bytes}}}).ok());
  }
  void install_adapter(const std::string& name, const std::string& base) {
    InstalledModel adapter{name,  name, kAdapterKind,
                           "MIT", 1,    {{"adapter.gguf", std::string(64, 'a'), 1}}};
    adapter.base = base;
    adapter.base_content = library_->find(base)->content();
    ASSERT_TRUE(library_->install(adapter).ok());
  }
  void install_sealed(const std::string& name, const std::string& base) {
    InstalledFile weights{"", std::string(64, 'c'), 9, "content-" + name};
    const auto made = install_sealed_adapter(*library_, {name, base, "{}", weights, 1});
    ASSERT_TRUE(made.ok()) << made.status();
    options_.open_sealed = [this](const std::string& content) -> absl::StatusOr<SealedFile> {
      RETURN_IF_ERROR(unreadable_);
      return SealedFile{"/sealed/" + content, key_};
    };
  }
  Fleet& fleet() {
    if (fleet_ == nullptr) {
      auto made = Fleet::create(options_, *library_, executor_, clock_, metrics_);
      EXPECT_TRUE(made.ok()) << made.status();
      fleet_ = *std::move(made);
    }
    return *fleet_;
  }
  std::unique_ptr<Call> ask(const std::string& model, Listener& listener) {
    protocol::GenerateRequest request;
    request.request_id = "r";
    request.model = model;
    request.prompt = protocol::TextPrompt{"hello"};
    return fleet().generate(request, listener.sink());
  }
  absl::Status answer(const std::string& model) {
    Listener listener;
    const auto call = ask(model, listener);
    return listener.end();
  }
  // Polls what the fleet's own threads bring about; its supervisor looks every 50 ms.
  template <typename Condition>
  bool soon(Condition condition) {
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    for (int i = 0; i < 3000; ++i) {
      if (condition()) return true;
      never.wait_for(lock, std::chrono::milliseconds(10));
    }
    return false;
  }
  // The same while time passes, so that back-offs end; less than a lease between two looks.
  template <typename Condition>
  bool in_time(Condition condition) {
    return soon([&] {
      if (condition()) return true;
      clock_.advance(options_.backoff_first);
      return false;
    });
  }

  std::string home_;
  std::optional<ModelLibrary> library_;
  FakeExecutor executor_;
  base::FakeClock clock_;
  base::Metrics metrics_;
  FleetOptions options_;
  std::string key_ = "key";  // of sealed files
  absl::Status unreadable_;  // why they cannot be opened
  std::unique_ptr<Fleet> fleet_;
};

TEST_F(FleetTest, LoadsOnFirstUseAndOnce) {
  install("m");
  EXPECT_EQ(executor_.starts("m"), 0);
  EXPECT_TRUE(answer("m").ok());
  EXPECT_TRUE(answer("m").ok());
  EXPECT_EQ(executor_.starts("m"), 1);
}

TEST_F(FleetTest, OneWorkerServesAModelAndTheAdaptersOverIt) {
  install("m");
  install_adapter("a", "m");
  install_adapter("b", "m");
  for (const char* name : {"m", "a", "b"}) EXPECT_TRUE(answer(name).ok()) << name;
  EXPECT_EQ(executor_.starts("m"), 1);
  EXPECT_EQ(executor_.running(), 1);
  EXPECT_EQ(fleet().find("a")->base, "m");
  EXPECT_TRUE(fleet().find("a")->generates);
  EXPECT_EQ(fleet().find("m")->base, "");
  EXPECT_TRUE(library_->remove("a").ok());
  EXPECT_TRUE(absl::IsNotFound(answer("a")));
  EXPECT_TRUE(answer("b").ok());
}

TEST_F(FleetTest, LoadingAnAdapterLoadsItsBase) {
  install("m");
  install_adapter("a", "m");
  EXPECT_TRUE(fleet().load("a").ok());
  EXPECT_EQ(executor_.starts("m"), 1);
}

TEST_F(FleetTest, AnAdapterWhoseBaseIsGoneOrAnotherSaysSo) {
  install("m");
  install_adapter("a", "m");
  EXPECT_TRUE(answer("a").ok());
  auto other = *library_->find("m");
  other.files[0].path = "other.bin";
  ASSERT_TRUE(library_->install(other).ok());
  auto status = answer("a");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(base::message(status).find("another m"), std::string::npos) << status;
  ASSERT_TRUE(library_->remove("m").ok());
  status = answer("a");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(base::message(status).find("over m, which is not installed"), std::string::npos);
}

TEST_F(FleetTest, AnAdapterIsNamedByItsContentWhateverItIsCalled) {
  install("m");
  install_adapter("a", "m");
  install_adapter("b", "m");
  const auto ref = adapter_ref(*library_, *library_->find("a"));
  EXPECT_EQ(ref, adapter_ref(*library_, *library_->find("b")));
  EXPECT_NE(ref.path.find(std::string(64, 'a')), std::string::npos) << "a blob: " << ref.path;
  EXPECT_EQ(ref.config_path, "");
  auto other = *library_->find("b");
  other.files[0].path = "other.gguf";
  EXPECT_NE(ref.id, adapter_ref(*library_, other).id);
}

TEST_F(FleetTest, ASealedAdapterGoesWithItsKeyAsItIsThen) {
  install("m");
  install_sealed("a", "m");
  ASSERT_TRUE(answer("a").ok());
  key_ = "another";
  ASSERT_TRUE(answer("a").ok());
  const auto asked = executor_.adapters();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].path, "/sealed/content-a");
  EXPECT_EQ(asked[0].key, "key");
  EXPECT_EQ(asked[1].key, "another");
  EXPECT_EQ(asked[0].id, asked[1].id) << "it is the same adapter, and not loaded again";
  EXPECT_EQ(*base::read_file(asked[0].config_path, 10), "{}");
  EXPECT_EQ(executor_.starts("m"), 1);
}

TEST_F(FleetTest, ASealedAdapterThatCannotBeReadSaysWhy) {
  install("m");
  install_sealed("a", "m");
  ASSERT_TRUE(answer("a").ok());
  unreadable_ = base::failed_precondition("[vault] the key 12 was destroyed");
  const auto shredded = answer("a");
  EXPECT_TRUE(absl::IsFailedPrecondition(shredded)) << shredded;
  EXPECT_NE(base::message(shredded).find("keys of their project were destroyed"),
            std::string::npos);
  unreadable_ = base::not_found("No such content");
  EXPECT_TRUE(absl::IsFailedPrecondition(answer("a")));
  unreadable_ = base::unavailable("the database is away");
  EXPECT_TRUE(absl::IsUnavailable(answer("a")));
  EXPECT_EQ(executor_.adapters().size(), 1u) << "no worker is asked, whatever it has loaded";
  EXPECT_TRUE(answer("m").ok());
}

TEST_F(FleetTest, ACallWhoseAdapterWasSealedAnewIsSentAgainWithItsNewKey) {
  install("m");
  install_sealed("a", "m");
  executor_.script("m", FakeWorkerScript::has_old_key);
  Listener listener;
  const auto call = ask("a", listener);
  EXPECT_TRUE(listener.end().ok()) << listener.end();
  EXPECT_EQ(listener.endings(), 1);
  EXPECT_EQ(executor_.adapters().size(), 2u);
  EXPECT_EQ(executor_.starts("m"), 1);
}

TEST_F(FleetTest, AnUnknownModelIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(answer("nobody")));
  EXPECT_EQ(executor_.starts("nobody"), 0);
}

TEST_F(FleetTest, APinnedModelComesBackAfterACrashAndItsBackOff) {
  install("m");
  ASSERT_TRUE(fleet().load("m").ok());
  ASSERT_TRUE(executor_.crash("m"));
  EXPECT_TRUE(in_time([&] { return executor_.starts("m") == 2; }));
  EXPECT_TRUE(answer("m").ok());
}

TEST_F(FleetTest, BackOffHoldsTheNextTryBack) {
  install("m");
  executor_.script("m", FakeWorkerScript::dies_at_start);
  EXPECT_FALSE(fleet().load("m").ok());
  const int before = executor_.starts("m");
  EXPECT_EQ(before, 1);
  clock_.advance(options_.backoff_first - std::chrono::milliseconds(1));
  EXPECT_FALSE(answer("nobody").ok());  // a round through the fleet
  EXPECT_EQ(executor_.starts("m"), before);
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(soon([&] { return executor_.starts("m") == before + 1; }));
}

TEST_F(FleetTest, ARunningCallOfADeadWorkerGetsOneError) {
  install("m");
  executor_.script("m", FakeWorkerScript::holds);
  Listener listener;
  const auto call = ask("m", listener);
  ASSERT_TRUE(listener.started());
  ASSERT_TRUE(executor_.crash("m"));
  EXPECT_TRUE(absl::IsUnavailable(listener.end()));
  EXPECT_EQ(listener.endings(), 1);
}

TEST_F(FleetTest, ACallThatHadNoAnswerIsRetriedOnTheNextWorker) {
  install("m");
  executor_.script("m", FakeWorkerScript::swallows);
  ASSERT_TRUE(fleet().load("m").ok());
  Listener listener;
  const auto call = ask("m", listener);
  executor_.script("m", FakeWorkerScript::serves);
  ASSERT_TRUE(executor_.crash("m"));
  EXPECT_TRUE(in_time([&] { return listener.endings() > 0; }));
  EXPECT_TRUE(listener.end().ok());
  EXPECT_EQ(executor_.starts("m"), 2);
}

TEST_F(FleetTest, AHeldCallIsPreparedAgainByTheNextWorker) {
  install("m");
  ASSERT_TRUE(fleet().load("m").ok());
  std::atomic<int> prepared{0}, ended{0};
  absl::Status end;
  protocol::GenerateRequest request;
  request.model = "m";
  request.prompt = protocol::TextPrompt{"a"};
  request.held = true;
  const auto call = fleet().generate(request, [&](std::vector<GenerateEvent> events) {
    for (const auto& event : events) {
      if (std::holds_alternative<protocol::Prepared>(event)) ++prepared;
      if (const auto* finished = std::get_if<protocol::Finished>(&event)) {
        end = finished->status;
        ++ended;
      }
    }
  });
  ASSERT_TRUE(soon([&] { return prepared == 1; }));
  ASSERT_TRUE(executor_.crash("m"));
  ASSERT_TRUE(in_time([&] { return prepared == 2; }));
  EXPECT_EQ(ended, 0) << "nothing runs before it is committed";
  call->commit(0);
  ASSERT_TRUE(soon([&] { return ended == 1; }));
  EXPECT_TRUE(end.ok()) << end;
}

TEST_F(FleetTest, ACallThatEndsTwoWorkersIsNotGivenToAThird) {
  install("m");
  executor_.script("m", FakeWorkerScript::dies_on_call);
  Listener listener;
  const auto call = ask("m", listener);
  EXPECT_TRUE(in_time([&] { return listener.endings() > 0; }));
  EXPECT_TRUE(absl::IsUnavailable(listener.end()));
  EXPECT_EQ(executor_.starts("m"), 2);
}

TEST_F(FleetTest, AModelThatCannotBeLoadedSaysWhyAndIsNotTriedForEveryCall) {
  install("m");
  executor_.script("m", FakeWorkerScript::refuses_to_load);
  const auto first = answer("m");
  EXPECT_TRUE(absl::IsFailedPrecondition(first)) << first;
  EXPECT_NE(std::string(base::message(first)).find("bad magic"), std::string::npos) << first;
  EXPECT_EQ(answer("m").code(), first.code());
  EXPECT_EQ(executor_.starts("m"), 1);
}

TEST_F(FleetTest, GarbageFromAWorkerEndsThatWorker) {
  install("m");
  executor_.script("m", FakeWorkerScript::sends_garbage);
  EXPECT_FALSE(fleet().load("m").ok());
  EXPECT_TRUE(soon([&] { return executor_.running() == 0; }));
}

TEST_F(FleetTest, ASilentWorkerLosesItsLease) {
  install("m");
  executor_.script("m", FakeWorkerScript::holds);
  Listener listener;
  const auto call = ask("m", listener);
  ASSERT_TRUE(listener.started());
  clock_.advance(options_.lease_max + std::chrono::seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(listener.end()));
}

TEST_F(FleetTest, AWorkerThatNeverGetsReadyIsGivenUp) {
  install("m");
  executor_.script("m", FakeWorkerScript::never_says_hello);
  Listener listener;
  const auto call = ask("m", listener);
  ASSERT_TRUE(soon([&] { return executor_.running() == 1; }));
  executor_.script("m", FakeWorkerScript::serves);
  clock_.advance(options_.lease_max * 4);
  EXPECT_TRUE(soon([&] { return executor_.running() == 0; }));
  EXPECT_TRUE(in_time([&] { return listener.endings() > 0; }));
  EXPECT_TRUE(listener.end().ok());
}

TEST_F(FleetTest, TheQueueOfALoadingModelIsBounded) {
  install("m");
  options_.queue_max = 2;
  executor_.script("m", FakeWorkerScript::never_gets_ready);
  Listener first, second, third;
  const auto a = ask("m", first), b = ask("m", second), c = ask("m", third);
  EXPECT_TRUE(absl::IsResourceExhausted(third.end()));
  EXPECT_EQ(first.endings() + second.endings(), 0);
}

TEST_F(FleetTest, HangingUpTellsTheWorker) {
  install("m");
  executor_.script("m", FakeWorkerScript::holds);
  Listener listener;
  auto call = ask("m", listener);
  ASSERT_TRUE(listener.started());
  call.reset();
  EXPECT_TRUE(soon([&] { return executor_.cancels() == 1; }));
  EXPECT_EQ(listener.endings(), 0);
}

TEST_F(FleetTest, TheLeastRecentlyUsedModelMakesRoom) {
  // A worker takes its weights twice: two of these fit into the budget, three do not.
  constexpr std::uint64_t kBytes = 100;
  options_.memory_bytes = 2 * 2 * kBytes;
  for (const char* name : {"a", "b", "c"}) install(name, kBytes);
  EXPECT_TRUE(answer("a").ok());
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(answer("b").ok());
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(answer("a").ok());  // b is the older one now
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(answer("c").ok());
  EXPECT_TRUE(answer("a").ok());
  EXPECT_EQ(executor_.starts("a"), 1);
  EXPECT_TRUE(answer("b").ok());
  EXPECT_EQ(executor_.starts("b"), 2);
  EXPECT_LE(executor_.running(), 2);
}

TEST_F(FleetTest, AModelOverTheWholeBudgetIsRefusedWithBothNumbers) {
  options_.memory_bytes = 10u << 20;
  install("big", 100u << 20);
  const auto status = answer("big");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(std::string(base::message(status)).find("200 MiB"), std::string::npos) << status;
  EXPECT_EQ(executor_.starts("big"), 0);
}

TEST_F(FleetTest, ARemovedModelIsNotFoundAtOnceAndItsWorkerEndsAfterItsLastCall) {
  install("m");
  install("other");
  executor_.script("m", FakeWorkerScript::holds);
  ASSERT_TRUE(fleet().load("m").ok());
  Listener running;
  auto call = ask("m", running);
  ASSERT_TRUE(running.started());
  ASSERT_TRUE(library_->remove("m").ok());
  const auto refused = answer("m");
  EXPECT_TRUE(absl::IsNotFound(refused)) << refused;
  EXPECT_EQ(refused.GetPayload(protocol::kCodePayload), "model_not_found");
  ASSERT_EQ(fleet().list().size(), 1u);
  EXPECT_EQ(fleet().list()[0].id, "other");
  EXPECT_TRUE(answer("other").ok());  // so the supervisor has looked at every worker since
  EXPECT_EQ(running.endings(), 0);
  EXPECT_EQ(executor_.running(), 2);
  call.reset();
  EXPECT_TRUE(soon([&] { return executor_.running() == 1; }));
  // It was pinned, and is not missed, even once another model has its name: the supervisor, which
  // starts what is, brings only this back.
  install("m");
  EXPECT_TRUE(executor_.crash("other"));
  Listener after;
  const auto again = ask("other", after);
  EXPECT_TRUE(in_time([&] { return after.endings() > 0; }));
  EXPECT_TRUE(after.end().ok());
  EXPECT_EQ(executor_.starts("m"), 1);
}

TEST_F(FleetTest, WhoWaitsForAModelThatIsRemovedIsTold) {
  install("m");
  executor_.script("m", FakeWorkerScript::never_gets_ready);
  Listener waiting;
  const auto call = ask("m", waiting);
  ASSERT_TRUE(soon([&] { return executor_.running() == 1; }));
  ASSERT_TRUE(library_->remove("m").ok());
  EXPECT_TRUE(absl::IsNotFound(waiting.end()));
  EXPECT_TRUE(soon([&] { return executor_.running() == 0; }));
}

TEST_F(FleetTest, AModelRemovedWhileItIsDownIsNotTriedAgain) {
  install("m");
  executor_.script("m", FakeWorkerScript::dies_at_start);
  Listener waiting;
  const auto call = ask("m", waiting);
  ASSERT_TRUE(soon([&] { return executor_.starts("m") == 1 && executor_.running() == 0; }));
  ASSERT_TRUE(library_->remove("m").ok());
  EXPECT_TRUE(in_time([&] { return waiting.endings() > 0; }));
  EXPECT_TRUE(absl::IsNotFound(waiting.end()));
  EXPECT_EQ(executor_.starts("m"), 1);
}

TEST_F(FleetTest, AReplacedModelIsLoadedAnewForNewCalls) {
  install("m");
  executor_.script("m", FakeWorkerScript::holds);
  ASSERT_TRUE(fleet().load("m").ok());
  Listener old, fresh;
  auto call = ask("m", old);
  ASSERT_TRUE(old.started());
  executor_.script("m", FakeWorkerScript::serves);
  install("m");
  install("other");
  EXPECT_TRUE(answer("other").ok());  // so the supervisor has looked at every worker since
  const auto next = ask("m", fresh);
  EXPECT_EQ(old.endings() + fresh.endings(), 0);
  call.reset();
  EXPECT_TRUE(fresh.end().ok());
  EXPECT_EQ(executor_.starts("m"), 2);
}

TEST_F(FleetTest, DrainingRefusesNewCallsAndEndsTheRest) {
  install("m");
  install("other");
  executor_.script("m", FakeWorkerScript::holds);
  Listener running, late;
  const auto call = ask("m", running);
  ASSERT_TRUE(running.started());
  fleet().drain(std::chrono::milliseconds(1));
  EXPECT_TRUE(absl::IsUnavailable(running.end()));
  const auto refused = ask("m", late);
  EXPECT_TRUE(absl::IsUnavailable(late.end()));
  // Nor does it wait for a worker that nobody will start.
  Listener cold;
  const auto also_refused = ask("other", cold);
  EXPECT_EQ(cold.endings(), 1);
  EXPECT_TRUE(absl::IsUnavailable(cold.end()));
}

}  // namespace
}  // namespace plinth::cluster
