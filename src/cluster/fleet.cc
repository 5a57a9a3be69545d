#include "cluster/fleet.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <thread>

#include "absl/strings/cord.h"
#include "base/file.h"
#include "base/log.h"
#include "cluster/adapter_install.h"
#include "cluster/replica.h"
#include "cluster/replica_metrics.h"

namespace plinth::cluster {

namespace {

// How often the supervisor looks at processes, leases and back-offs.
constexpr std::chrono::milliseconds kTick{50};
// A request that ended two workers is suspect: it is not given to a third.
constexpr int kAttemptsMax = 2;
// Loads that fail this often in a row fail the calls that wait for them.
constexpr int kFailuresMax = 3;

std::string new_token() {
  std::uint8_t bytes[16];
  std::string token;
  if (::getrandom(bytes, sizeof bytes, 0) == sizeof bytes) {
    for (const auto byte : bytes) token += fmt::format("{:02x}", byte);
  }
  return token;
}

absl::Status not_installed(const std::string& name) {
  auto status = base::not_found(fmt::format("model {} is not installed any more", name));
  status.SetPayload(protocol::kCodePayload, absl::Cord("model_not_found"));
  return status;
}

class FleetImpl final : public Fleet {
 public:
  FleetImpl(const FleetOptions& options, const ModelLibrary& library, Executor& executor,
            const base::Clock& clock, base::Metrics& metrics)
      : options_(options),
        library_(library),
        executor_(executor),
        clock_(clock),
        metrics_(metrics),
        socket_(options.run_folder + "/workers.sock") {}

  ~FleetImpl() override {
    drain(base::Duration(0));
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    supervise_.notify_all();
    if (supervisor_.joinable()) supervisor_.join();
    server_.reset();
  }

  absl::Status start() {
    RETURN_IF_ERROR(base::make_folders(options_.run_folder, 0700));
    RETURN_IF_ERROR(base::make_folders(options_.log_folder, 0700));
    ASSIGN_OR_RETURN(
        server_, net::RpcServer::listen(socket_, {}, [this](net::RpcLink& link) { serve(link); }));
    supervisor_ = std::thread([this] { supervise(); });
    return absl::OkStatus();
  }

  absl::Status load(const std::string& name) override {
    // An adapter's base is what is loaded; itself it is on first use.
    ASSIGN_OR_RETURN(const auto route, route_of(name));
    std::unique_lock lock(mutex_);
    Replica& replica = get(route.replica);
    replica.pinned = true;
    supervise_.notify_all();
    changed_.wait(lock, [&] {
      return replica.state == ReplicaState::ready || replica.failures > 0 || draining_ ||
             !replica.pinned;
    });
    if (replica.state == ReplicaState::ready) return absl::OkStatus();
    if (!replica.pinned) return library_.find(name).status();
    return draining_ ? base::unavailable("shutting down") : replica.last_error;
  }

  void set_ready() override { ready_ = true; }
  bool ready() const override { return ready_; }

  std::vector<ModelCard> list() const override {
    std::vector<ModelCard> cards;
    for (const auto& model : library_.list()) cards.push_back(card(model));
    return cards;
  }

  absl::StatusOr<ModelCard> find(const std::string& name) const override {
    ASSIGN_OR_RETURN(auto known, look_up(name));
    return std::move(known.card);
  }

  std::unique_ptr<Call> generate(protocol::GenerateRequest request, GenerateSink sink) override {
    auto route = route_of(request.model);
    if (route.ok()) request.adapter = std::move(route->adapter);
    auto call =
        std::make_shared<FleetCall>(next_call_.fetch_add(1), std::move(request), std::move(sink));
    return submit(std::move(call), route);
  }
  std::unique_ptr<Call> embed(protocol::EmbedRequest request, EmbedSink sink) override {
    auto route = route_of(request.model);
    if (route.ok() && !route->adapter.id.empty())
      route = base::invalid_argument("this model is an adapter; it makes no embeddings");
    auto call =
        std::make_shared<FleetCall>(next_call_.fetch_add(1), std::move(request), std::move(sink));
    return submit(std::move(call), route);
  }

  void drain(base::Duration grace) override {
    std::vector<std::shared_ptr<FleetCall>> rest;
    {
      std::unique_lock lock(mutex_);
      draining_ = true;
      changed_.notify_all();
      changed_.wait_for(lock, grace, [&] {
        return std::all_of(replicas_.begin(), replicas_.end(),
                           [](const auto& entry) { return entry.second->idle(); });
      });
      for (auto& [name, replica] : replicas_) {
        take_calls(*replica, rest);
        if (replica->link != nullptr) replica->link->close();
      }
    }
    for (auto& call : rest) call->fail(base::unavailable("the server is shutting down"));
  }

 private:
  // What the API holds: hanging up tells the worker.
  class Handle final : public Call {
   public:
    Handle(FleetImpl& fleet, std::shared_ptr<FleetCall> call)
        : fleet_(fleet), call_(std::move(call)) {}
    ~Handle() override { cancel(); }
    void cancel() override {
      call_->hang_up();
      fleet_.forget(*call_);
    }
    void commit(std::int32_t pinned_tokens) override { fleet_.commit(*call_, pinned_tokens); }

   private:
    FleetImpl& fleet_;
    const std::shared_ptr<FleetCall> call_;  // shared with the fleet until its last event
  };

  // Which worker serves a model, and with which adapter.
  struct Route {
    std::string replica;
    protocol::AdapterRef adapter;
    std::string sealed = {};  // content that has the adapter's weights; "" = they lie in the open
  };
  // What is known of an installation.
  struct Known {
    ModelCard card;
    Route route;
    absl::Status served;  // why it cannot be
    std::optional<InstallStamp> stamp, base_stamp;
  };

  absl::StatusOr<Known> look_up(const std::string& name) const {
    const auto stamp = library_.stamp(name);
    {
      std::lock_guard lock(mutex_);
      const auto found = known_.find(name);
      if (found != known_.end()) {
        const auto& base = found->second.card.base;
        const bool same = found->second.stamp == stamp &&
                          (base.empty() || library_.stamp(base) == found->second.base_stamp);
        if (same) return found->second;
        known_.erase(found);
      }
    }
    ASSIGN_OR_RETURN(const auto model, library_.find(name));
    Known fresh{card(model), {name, {}}, absl::OkStatus(), stamp, {}};
    if (!model.base.empty()) {
      fresh.base_stamp = library_.stamp(model.base);
      fresh.served = find_base(model, fresh);
    }
    std::lock_guard lock(mutex_);
    known_[name] = fresh;
    return fresh;
  }

  absl::StatusOr<Route> route_of(const std::string& name) const {
    ASSIGN_OR_RETURN(auto known, look_up(name));
    RETURN_IF_ERROR(known.served);
    auto& route = known.route;
    // For each call anew: a worker that has it loaded serves it no longer than its keys are there.
    if (!route.sealed.empty())
      RETURN_IF_ERROR(open_weights(options_.open_sealed, route.sealed, route.adapter));
    return std::move(route);
  }

  // Files go to the worker by their content's names: what is installed in the meantime is another
  // adapter.
  absl::Status find_base(const InstalledModel& adapter, Known& known) const {
    ASSIGN_OR_RETURN(const auto base, base_of_adapter(library_, adapter));
    for (const auto& [key, value] : base.sampling) known.card.sampling.emplace(key, value);
    const auto* sealed = adapter.sealed();
    known.route = {adapter.base, adapter_ref(library_, adapter),
                   sealed == nullptr ? "" : sealed->content};
    return absl::OkStatus();
  }

  ModelCard card(const InstalledModel& model) const {
    ModelCard card;
    card.id = model.name;
    card.created_unix_seconds = model.pulled_unix_s;
    card.embeds = model.kind == "embeddings";
    card.generates = !card.embeds;
    card.sampling = model.sampling;
    card.base = model.base;
    return card;
  }

  // Called with mutex_ held.
  Replica& get(const std::string& name) {
    auto& replica = replicas_[name];
    if (replica == nullptr) replica = std::make_unique<Replica>(name);
    return *replica;
  }

  std::unique_ptr<Call> submit(std::shared_ptr<FleetCall> call,
                               const absl::StatusOr<Route>& route) {
    absl::Status refused = route.status();
    if (absl::IsNotFound(refused)) refused = not_installed(call->model);
    if (refused.ok()) call->replica = route->replica;
    {
      std::lock_guard lock(mutex_);
      if (refused.ok() && draining_) refused = base::unavailable("the server is shutting down");
      if (refused.ok()) refused = place(call);
    }
    if (!refused.ok()) call->fail(refused);
    return std::make_unique<Handle>(*this, std::move(call));
  }

  // Called with mutex_ held.
  absl::Status place(const std::shared_ptr<FleetCall>& call) {
    Replica& replica = get(call->replica);
    replica.used = clock_.now();
    if (replica.state == ReplicaState::ready && !replica.outdated) {
      dispatch(replica, call);
      return absl::OkStatus();
    }
    const bool hopeless = replica.failures >= kFailuresMax || load_failed(replica);
    if (hopeless && clock_.now() < replica.retry) return replica.last_error;
    if (replica.waiting.size() >= options_.queue_max)
      return base::resource_exhausted("the queue is full; retry later");
    replica.waiting.push_back(call);
    supervise_.notify_all();
    return absl::OkStatus();
  }

  static bool load_failed(const Replica& replica) {
    return replica.failures > 0 && absl::IsFailedPrecondition(replica.last_error);
  }

  // Called with mutex_ held.
  void dispatch(Replica& replica, const std::shared_ptr<FleetCall>& call) {
    ++call->attempts;
    replica.calls[call->id] = call;
    replica.send(call->message());
  }

  void forget(const FleetCall& call) {
    std::lock_guard lock(mutex_);
    const auto found = replicas_.find(call.replica);
    if (found == replicas_.end()) return;
    Replica& replica = *found->second;
    std::erase_if(replica.waiting, [&](const auto& other) { return other->id == call.id; });
    if (replica.calls.erase(call.id) != 0) replica.send(protocol::CancelCall{call.id});
    changed_.notify_all();
  }

  void commit(const FleetCall& call, std::int32_t pinned_tokens) {
    std::lock_guard lock(mutex_);
    const auto found = replicas_.find(call.replica);
    if (found == replicas_.end() || !found->second->calls.contains(call.id)) return;
    found->second->send(protocol::CommitCall{call.id, pinned_tokens});
  }

  static void take_calls(Replica& replica, std::vector<std::shared_ptr<FleetCall>>& into) {
    for (auto& [id, call] : replica.calls) into.push_back(call);
    into.insert(into.end(), replica.waiting.begin(), replica.waiting.end());
    replica.calls.clear();
    replica.waiting.clear();
  }

  // The thread of one link, from the worker's hello to its end.
  void serve(net::RpcLink& link) {
    const auto first = link.receive();
    if (!first) return;
    const auto hello = protocol::decode_to_gateway(*first);
    const auto* greeting = hello.ok() ? std::get_if<protocol::Hello>(&*hello) : nullptr;
    Replica* replica = greeting == nullptr ? nullptr : attach(greeting->token, link);
    if (replica == nullptr) return;
    while (const auto frame = link.receive()) {
      auto message = protocol::decode_to_gateway(*frame);
      if (!message.ok()) {
        LOG(error, "worker of {}: {}", replica->name, message.status().ToString());
        break;
      }
      if (!handle(*replica, *std::move(message))) break;
    }
    link.close();
    {
      std::lock_guard lock(mutex_);
      replica->link = nullptr;
    }
    lost(*replica, "its worker ended unexpectedly");
  }

  Replica* attach(const std::string& token, net::RpcLink& link) {
    std::lock_guard lock(mutex_);
    for (auto& [name, replica] : replicas_) {
      if (replica->state != ReplicaState::starting || replica->link != nullptr || token.empty() ||
          replica->token != token) {
        continue;
      }
      replica->token.clear();
      replica->link = &link;
      replica->heard = clock_.now();
      replica->send(protocol::Welcome{});
      return replica.get();
    }
    return nullptr;
  }

  bool handle(Replica& replica, protocol::ToGateway message) {
    if (auto* step = std::get_if<protocol::Step>(&message)) {
      deliver(replica, std::move(*step));
      return true;
    }
    std::shared_ptr<FleetCall> embedded;
    auto* reply = std::get_if<protocol::EmbedReply>(&message);
    {
      std::lock_guard lock(mutex_);
      replica.heard = clock_.now();
      if (const auto* ready = std::get_if<protocol::Ready>(&message)) {
        if (replica.state != ReplicaState::starting) return true;
        replica.state = ReplicaState::ready;
        replica.failures = 0;
        replica.context_tokens = ready->context_tokens;
        for (const auto& call : std::exchange(replica.waiting, {})) dispatch(replica, call);
        changed_.notify_all();
      } else if (const auto* failed = std::get_if<protocol::LoadFailed>(&message)) {
        replica.last_error = base::failed_precondition(fmt::format(
            "model {} cannot be loaded: {}", replica.name, base::message(failed->status)));
        return false;
      } else if (const auto* beat = std::get_if<protocol::Heartbeat>(&message)) {
        report_heartbeat(metrics_, replica.name, *beat, replica.beat);
      } else if (reply != nullptr) {
        embedded = take(replica, reply->call);
      }
    }
    if (embedded != nullptr) embedded->deliver(std::move(reply->result));
    return true;
  }

  // Called with mutex_ held.
  std::shared_ptr<FleetCall> take(Replica& replica, protocol::CallId id) {
    const auto found = replica.calls.find(id);
    if (found == replica.calls.end()) return nullptr;
    auto call = std::move(found->second);
    replica.calls.erase(found);
    changed_.notify_all();
    return call;
  }

  // One look at the fleet's state for all calls of a step.
  void deliver(Replica& replica, protocol::Step step) {
    std::vector<std::pair<std::shared_ptr<FleetCall>, std::vector<protocol::GenerateEvent>>> due;
    due.reserve(step.calls.size());
    {
      std::lock_guard lock(mutex_);
      replica.heard = replica.used = clock_.now();
      for (auto& [id, events] : step.calls) {
        const auto found = replica.calls.find(id);
        if (found == replica.calls.end() || events.empty()) continue;
        // What is prepared can be prepared again elsewhere.
        if (!std::holds_alternative<protocol::Prepared>(events.back()))
          found->second->started = true;
        const bool last = std::holds_alternative<protocol::Finished>(events.back());
        due.emplace_back(last ? take(replica, id) : found->second, std::move(events));
      }
    }
    for (auto& [call, events] : due) {
      if (is_sealed_anew(*call, events))
        send_again(std::move(call));
      else
        call->deliver(std::move(events));
    }
  }

  // Its adapter's file was sealed anew after the call was given its key.
  static bool is_sealed_anew(const FleetCall& call,
                             const std::vector<protocol::GenerateEvent>& events) {
    const auto* end = std::get_if<protocol::Finished>(&events.front());
    const auto* request = std::get_if<protocol::GenerateRequest>(&call.request);
    return end != nullptr && absl::IsAborted(end->status) && request != nullptr &&
           !request->adapter.key.empty() && call.attempts < kAttemptsMax;
  }

  void send_again(std::shared_ptr<FleetCall> call) {
    auto route = route_of(call->model);
    absl::Status refused = route.status();
    if (refused.ok()) {
      std::get<protocol::GenerateRequest>(call->request).adapter = std::move(route->adapter);
      std::lock_guard lock(mutex_);
      // Who hangs up from here on finds it where it is placed.
      if (call->hung_up()) return;
      call->started = false;
      refused = draining_ ? base::unavailable("the server is shutting down") : place(call);
    }
    if (!refused.ok()) call->fail(refused);
  }

  // The worker is gone: what had sent nothing waits for the next one, the rest fails.
  void lost(Replica& replica, std::string_view how) {
    std::vector<std::shared_ptr<FleetCall>> failed;
    absl::Status error;
    {
      std::lock_guard lock(mutex_);
      const bool wanted = replica.state == ReplicaState::unloading || draining_;
      const bool loading = replica.state == ReplicaState::starting;
      if (!wanted && !(loading && absl::IsFailedPrecondition(replica.last_error))) {
        replica.last_error = base::unavailable(fmt::format("model {}: {}", replica.name, how));
      }
      error = replica.last_error;
      replica.state = ReplicaState::absent;
      report_heartbeat(metrics_, replica.name, {}, replica.beat);
      if (!wanted) {
        ++replica.failures;
        const auto factor = 1 << std::min(replica.failures - 1, 16);
        replica.retry =
            clock_.now() + std::min(options_.backoff_first * factor, options_.backoff_max);
        LOG(warn, "{}; try {} follows", error.ToString(), replica.failures + 1);
      }
      for (auto& [id, call] : std::exchange(replica.calls, {})) {
        if (!call->started && call->attempts < kAttemptsMax && !draining_)
          replica.waiting.push_front(call);
        else
          failed.push_back(call);
      }
      if (load_failed(replica) || replica.failures >= kFailuresMax) {
        for (auto& call : std::exchange(replica.waiting, {})) failed.push_back(call);
      }
      replica.context_tokens = 0;
      changed_.notify_all();
      supervise_.notify_all();
    }
    const auto status =
        absl::IsFailedPrecondition(error) ? error : base::unavailable(base::message(error));
    for (auto& call : failed) call->fail(status);
  }

  // What a look of the supervisor found, to be dealt with when mutex_ is free.
  struct Findings {
    std::vector<std::pair<Replica*, std::string>> dead;  // and how it ended
    std::vector<std::shared_ptr<FleetCall>> orphans;     // calls whose model is not there any more
  };

  void supervise() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      Findings found;
      for (auto& [name, replica] : replicas_) {
        retire_if_outdated(*replica, found);
        watch(*replica, found);
      }
      if (!draining_) {
        for (auto& [name, replica] : replicas_) start_if_wanted(*replica, found);
      }
      if (!found.dead.empty() || !found.orphans.empty()) {
        lock.unlock();
        for (auto& call : found.orphans) call->fail(not_installed(call->model));
        for (auto& [replica, how] : found.dead) lost(*replica, how);
        lock.lock();
        continue;
      }
      supervise_.wait_for(lock, kTick);
    }
    for (auto& [name, replica] : replicas_) replica->process.reset();
  }

  // The store is the truth: a worker whose model was removed or replaced there takes no new calls
  // and ends after its running ones. Called with mutex_ held.
  void retire_if_outdated(Replica& replica, Findings& found) {
    const bool loaded =
        replica.state == ReplicaState::ready || replica.state == ReplicaState::starting;
    if (!replica.live() || !loaded) return;
    const auto stamp = library_.stamp(replica.name);
    if (stamp == replica.installed) return;
    if (!std::exchange(replica.outdated, true))
      LOG(info, "model {} was {}", replica.name, stamp ? "replaced" : "removed");
    if (!stamp) abandon(replica, found);
    if (!replica.calls.empty()) return;
    replica.state = ReplicaState::unloading;
    if (replica.link != nullptr)
      replica.link->close();
    else
      replica.process->kill();
  }

  // Its model is gone: nobody may wait for it any more. Called with mutex_ held.
  void abandon(Replica& replica, Findings& found) {
    replica.pinned = false;
    replica.failures = 0;
    for (auto& call : std::exchange(replica.waiting, {})) found.orphans.push_back(call);
    changed_.notify_all();
  }

  // Called with mutex_ held.
  void watch(Replica& replica, Findings& found) {
    if (!replica.live()) return;
    const auto now = clock_.now();
    if (const auto how = replica.process->ended()) {
      if (replica.link != nullptr) return replica.link->close();
      replica.process.reset();
      if (replica.state != ReplicaState::absent) {
        replica.token.clear();
        found.dead.emplace_back(&replica, "its worker ended with " + *how);
      }
      return;
    }
    const bool silent = replica.link != nullptr && now - replica.heard > options_.lease_max;
    const bool slow =
        replica.state == ReplicaState::starting && now - replica.started > options_.load_max;
    const bool mute = replica.state == ReplicaState::starting && replica.link == nullptr &&
                      now - replica.started > options_.lease_max * 3;
    // A link that ended leaves a process that must follow.
    const bool orphan = replica.state == ReplicaState::absent && replica.link == nullptr;
    if (silent || slow || mute || orphan) replica.process->kill();
  }

  // Called with mutex_ held.
  void start_if_wanted(Replica& replica, Findings& found) {
    if (replica.state != ReplicaState::absent || replica.live() || replica.link != nullptr) return;
    if (!replica.pinned && replica.waiting.empty()) return;
    if (replica.failures > 0 && clock_.now() < replica.retry) return;
    replica.installed = library_.stamp(replica.name);
    replica.outdated = false;
    const auto model = library_.find(replica.name);
    if (absl::IsNotFound(model.status())) return abandon(replica, found);
    replica.started = clock_.now();
    replica.last_error = absl::OkStatus();
    if (!model.ok()) {
      replica.last_error = base::failed_precondition(base::message(model.status()));
      replica.state = ReplicaState::starting;
      found.dead.emplace_back(&replica, "damaged manifest");
      return;
    }
    // Weights twice (mapped and packed) is the most that loading takes.
    // An encoder keeps no keys and values.
    const auto kv_bytes = model->kind == "embeddings" ? 0 : options_.kv_bytes;
    replica.bytes = model->bytes() * 2 + kv_bytes;
    if (options_.memory_bytes > 0 && replica.bytes > options_.memory_bytes) {
      replica.last_error = base::failed_precondition(
          fmt::format("model {} needs about {} MiB of memory, and the budget is {} MiB",
                      replica.name, replica.bytes >> 20, options_.memory_bytes >> 20));
      replica.state = ReplicaState::starting;
      found.dead.emplace_back(&replica, "over the memory budget");
      return;
    }
    if (!make_room(replica)) return;
    replica.token = new_token();
    WorkerSpec spec;
    spec.token = replica.token;
    spec.log_path = fmt::format("{}/worker-{}.log", options_.log_folder, replica.name);
    spec.arguments = {"worker", "--socket", socket_, "--model-path", library_.open_path(*model)};
    spec.arguments.insert(spec.arguments.end(), options_.worker_arguments.begin(),
                          options_.worker_arguments.end());
    auto process = executor_.start(spec);
    replica.state = ReplicaState::starting;
    if (process.ok())
      replica.process = *std::move(process);
    else
      found.dead.emplace_back(&replica, std::string(base::message(process.status())));
  }

  // True once the budget holds this replica beside the live ones; until then the least recently
  // used idle one leaves. Called with mutex_ held.
  bool make_room(const Replica& fresh) {
    if (options_.memory_bytes == 0) return true;
    std::uint64_t used = fresh.bytes;
    Replica* oldest = nullptr;
    bool leaving = false;
    for (auto& [name, replica] : replicas_) {
      if (!replica->live()) continue;
      used += replica->bytes;
      leaving = leaving || replica->state != ReplicaState::ready;
      if (replica->state != ReplicaState::ready || !replica->idle()) continue;
      const bool better = oldest == nullptr || (oldest->pinned && !replica->pinned) ||
                          (oldest->pinned == replica->pinned && replica->used < oldest->used);
      if (better) oldest = replica.get();
    }
    if (used <= options_.memory_bytes) return true;
    if (!leaving && oldest != nullptr && !(oldest->pinned && fresh.waiting.empty())) {
      LOG(info, "unloading {} to make room for {}", oldest->name, fresh.name);
      oldest->state = ReplicaState::unloading;
      // A pinned model that had to leave comes back when it is called again.
      oldest->pinned = false;
      if (oldest->link != nullptr) oldest->link->close();
    }
    return false;
  }

  // Constant after construction.
  const FleetOptions options_;
  const ModelLibrary& library_;
  Executor& executor_;
  const base::Clock& clock_;
  base::Metrics& metrics_;
  const std::string socket_;

  std::atomic<protocol::CallId> next_call_{1};
  std::atomic<bool> ready_{false};

  mutable std::mutex mutex_;
  std::condition_variable changed_, supervise_;
  std::map<std::string, std::unique_ptr<Replica>> replicas_;  // protected by mutex_, as following
  // With the installation that each describes.
  mutable std::map<std::string, Known> known_;
  bool draining_ = false, stopping_ = false;

  std::unique_ptr<net::RpcServer> server_;
  std::thread supervisor_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Fleet>> Fleet::create(const FleetOptions& options,
                                                     const ModelLibrary& library,
                                                     Executor& executor, const base::Clock& clock,
                                                     base::Metrics& metrics) {
  auto fleet = std::make_unique<FleetImpl>(options, library, executor, clock, metrics);
  RETURN_IF_ERROR(fleet->start());
  return std::unique_ptr<Fleet>(std::move(fleet));
}

}  // namespace plinth::cluster
