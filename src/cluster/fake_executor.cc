#include "cluster/fake_executor.h"

#include <atomic>
#include <condition_variable>
#include <thread>

#include "net/rpc_link.h"
#include "protocol/codec.h"

namespace plinth::cluster {

struct FakeExecutor::Shared {
  mutable std::mutex mutex;
  std::map<std::string, FakeWorkerScript> scripts;  // protected by mutex, as are the following
  std::map<std::string, int> starts;
  std::map<std::string, std::function<void()>> crash;  // of the running workers
  int running = 0;
  int cancels = 0;
  std::vector<protocol::AdapterRef> adapters;
};

namespace {

using protocol::ToGateway;

// The last part of a model's path: the folder or file that the test named.
std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string value_after(const std::vector<std::string>& arguments, const std::string& flag) {
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == flag) return arguments[i + 1];
  }
  return "";
}

// The worker's side of a link, until the script or the gateway ends it.
class ScriptedWorker {
 public:
  ScriptedWorker(FakeWorkerScript script, std::string socket, std::string token)
      : script_(script), socket_(std::move(socket)), token_(std::move(token)) {}

  using OnCall = std::function<void(const protocol::AdapterRef&)>;
  void run(const std::function<void()>& on_cancel, const OnCall& on_call) {
    if (script_ == FakeWorkerScript::dies_at_start) return;
    auto dialled = net::dial_rpc(socket_, {});
    if (!dialled.ok()) return;
    net::RpcLink* link = nullptr;
    {
      std::lock_guard lock(mutex_);
      link_ = *std::move(dialled);
      link = link_.get();
      if (killed_) return;
    }
    if (script_ == FakeWorkerScript::never_says_hello) return wait_for_kill();
    if (!send(*link, protocol::Hello{token_}) || !link->receive()) return;
    if (script_ == FakeWorkerScript::never_gets_ready) return wait_for_kill();
    if (script_ == FakeWorkerScript::sends_garbage) {
      (void)link->send("\xff\xff\xff\xff");
      return wait_for_kill();
    }
    if (script_ == FakeWorkerScript::refuses_to_load) {
      send(*link,
           protocol::LoadFailed{base::invalid_argument("weights.gguf: bad magic at byte 0")});
      while (link->receive()) {
      }
      return;
    }
    if (!send(*link, protocol::Ready{true, false, 4096, 8})) return;
    while (const auto frame = link->receive()) {
      const auto message = protocol::decode_to_worker(*frame);
      if (!message.ok()) return;
      if (std::holds_alternative<protocol::CancelCall>(*message)) on_cancel();
      const auto* start = std::get_if<protocol::StartGenerate>(&*message);
      if (start != nullptr) on_call(start->request.adapter);
      if (start != nullptr && script_ == FakeWorkerScript::has_old_key && !refused_) {
        refused_ = true;
        protocol::Step old;
        old.calls.push_back(
            {start->call, {protocol::Finished{absl::AbortedError("sealed anew"), {}}}});
        if (!send(*link, std::move(old))) return;
        continue;
      }
      if (start != nullptr && start->request.held && script_ != FakeWorkerScript::swallows) {
        protocol::Step prepared;
        prepared.calls.push_back({start->call, {protocol::Prepared{3, 1}}});
        if (!send(*link, std::move(prepared))) return;
        continue;
      }
      if (start != nullptr && !answer(*link, start->call)) return;
      const auto* commit = std::get_if<protocol::CommitCall>(&*message);
      if (commit != nullptr && !answer(*link, commit->call)) return;
    }
  }

  // A kill: the link ends and the thread with it.
  void kill() {
    std::lock_guard lock(mutex_);
    killed_ = true;
    if (link_ != nullptr) link_->close();
    changed_.notify_all();
  }

 private:
  static bool send(net::RpcLink& link, ToGateway message) {
    return link.send(encode(message)).ok();
  }

  bool answer(net::RpcLink& link, protocol::CallId call) {
    if (script_ == FakeWorkerScript::swallows) return true;
    if (script_ == FakeWorkerScript::dies_on_call) return false;
    protocol::Step first;
    first.calls.push_back(
        {call, {protocol::Admitted{3, 0, "fp_fake"}, protocol::Delta{0, "a", {}, 1}}});
    if (!send(link, std::move(first))) return false;
    if (script_ == FakeWorkerScript::holds) return true;
    if (script_ == FakeWorkerScript::dies_in_answer) return false;
    protocol::Step last;
    last.calls.push_back({call,
                          {protocol::ChoiceEnd{0, protocol::FinishReason::length, ""},
                           protocol::Finished{absl::OkStatus(), {3, 0, 1}}}});
    return send(link, std::move(last));
  }

  void wait_for_kill() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return killed_; });
  }

  const FakeWorkerScript script_;
  const std::string socket_, token_;
  bool refused_ = false;  // its thread's own
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<net::RpcLink> link_;  // protected by mutex_ until set, then used by run() alone
  bool killed_ = false;                 // protected by mutex_
};

class FakeProcess final : public WorkerProcess {
 public:
  FakeProcess(std::shared_ptr<ScriptedWorker> worker, std::function<void()> on_cancel,
              ScriptedWorker::OnCall on_call, std::function<void()> on_end)
      : worker_(std::move(worker)),
        thread_([this, on_cancel, on_call = std::move(on_call), on_end] {
          worker_->run(on_cancel, on_call);
          // A process that ends closes what it had open.
          worker_->kill();
          on_end();
          ended_ = true;
        }) {}
  ~FakeProcess() override {
    kill();
    thread_.join();
  }
  void kill() override { worker_->kill(); }
  std::optional<std::string> ended() override {
    if (!ended_) return std::nullopt;
    return "signal 9";
  }

 private:
  const std::shared_ptr<ScriptedWorker> worker_;  // shared with crash()
  std::atomic<bool> ended_{false};
  std::thread thread_;  // last: it uses the fields above
};

}  // namespace

FakeExecutor::FakeExecutor() : shared_(std::make_shared<Shared>()) {}
FakeExecutor::~FakeExecutor() = default;

void FakeExecutor::script(const std::string& model, FakeWorkerScript script) {
  std::lock_guard lock(shared_->mutex);
  shared_->scripts[model] = script;
}

bool FakeExecutor::crash(const std::string& model) {
  std::function<void()> crash;
  {
    std::lock_guard lock(shared_->mutex);
    const auto found = shared_->crash.find(model);
    if (found == shared_->crash.end()) return false;
    crash = found->second;
  }
  crash();
  return true;
}

int FakeExecutor::starts(const std::string& model) const {
  std::lock_guard lock(shared_->mutex);
  const auto found = shared_->starts.find(model);
  return found == shared_->starts.end() ? 0 : found->second;
}

int FakeExecutor::running() const {
  std::lock_guard lock(shared_->mutex);
  return shared_->running;
}

int FakeExecutor::cancels() const {
  std::lock_guard lock(shared_->mutex);
  return shared_->cancels;
}

std::vector<protocol::AdapterRef> FakeExecutor::adapters() const {
  std::lock_guard lock(shared_->mutex);
  return shared_->adapters;
}

absl::StatusOr<std::unique_ptr<WorkerProcess>> FakeExecutor::start(const WorkerSpec& spec) {
  const std::string model = last_part(value_after(spec.arguments, "--model-path"));
  auto script = FakeWorkerScript::serves;
  std::lock_guard lock(shared_->mutex);
  if (const auto found = shared_->scripts.find(model); found != shared_->scripts.end()) {
    script = found->second;
  }
  ++shared_->starts[model];
  ++shared_->running;
  auto worker = std::make_shared<ScriptedWorker>(script, value_after(spec.arguments, "--socket"),
                                                 spec.token);  // shared with crash()
  shared_->crash[model] = [worker] { worker->kill(); };
  return std::unique_ptr<WorkerProcess>(std::make_unique<FakeProcess>(
      worker,
      [shared = shared_] {
        std::lock_guard inner(shared->mutex);
        ++shared->cancels;
      },
      [shared = shared_](const protocol::AdapterRef& adapter) {
        std::lock_guard inner(shared->mutex);
        shared->adapters.push_back(adapter);
      },
      [shared = shared_, model] {
        std::lock_guard inner(shared->mutex);
        --shared->running;
        shared->crash.erase(model);
      }));
}

}  // namespace plinth::cluster
