// One request on its way through the gateway: what it asks, who asks, and the one way to answer.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/open_exchanges.h"
#include "api/schema/validate.h"
#include "api/work_queue.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/status.h"
#include "cluster/model_service.h"
#include "cluster/tuned_models.h"
#include "governance/governance.h"
#include "net/http_server.h"
#include "net/tls.h"

namespace plinth::api {

// What the endpoints work with; outlives every exchange.
struct Services {
  cluster::ModelService& models;
  governance::Governance& governance;
  const base::Clock& clock;
  base::Metrics& metrics;
  // Random bits that nobody can guess; thread-safe.
  std::function<std::uint64_t()> entropy;
  bool ignore_unknown_fields = false;
  // What holds where no deployment says otherwise.
  std::string content_policy = "Plinth.Off";
  // Where browsers find this service: "https://plinth.example". "" = unknown.
  std::string public_url = "";
  WorkQueue* slow = nullptr;  // what may wait; not owned
  net::ClientCertificateMode client_certificates = net::ClientCertificateMode::off;
  OpenExchanges* open = nullptr;                 // counts them; not owned, null = nobody asks
  WorkQueue* files = nullptr;                    // what waits for the disk; not owned
  cluster::TunedModels* tuned_models = nullptr;  // not owned

  ValidateOptions validation() const { return {Direction::request, ignore_unknown_fields}; }
};

// Whose errors, headers and annotations an answer has.
enum class Dialect : std::uint8_t { openai, azure };

// An answer that waits until what it says is durable.
struct HeldAnswer {
  int status = 0;
  std::string content_type, body;
  net::HttpHeaders headers;
};

// What an endpoint adds to the record of its act, where its route's list does not say all.
struct AuditNote {
  std::string id = {};              // of what was acted on; "" = the answer's
  base::json::object details = {};  // more of them, or in place of the route's
  std::vector<std::string> resources = {};
  bool changed = true;  // false: nothing was, and there is nothing to record
  std::optional<governance::AuditActor> actor = {};  // where it is not the request's key
};

// "chatcmpl-3f9c...": 24 hex digits that no other id of this process has.
std::string next_id(const base::Clock& clock, std::string_view prefix);

// Made by the pipeline, given to an endpoint as ExchangePtr. Thread-safe where it says so; the
// rest is constant once the endpoint runs.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(Services& services, net::HttpRequest request, net::HttpReplyPtr reply);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Services& services() const { return services_; }
  const net::HttpRequest& request() const { return request_; }
  const std::string& id() const { return id_; }  // "req_..."
  base::TimePoint started() const { return started_; }

  // Set by the pipeline.
  Dialect dialect = Dialect::openai;
  governance::Principal principal;      // of routes that need a key
  std::vector<std::string> parameters;  // what the pattern's {...} matched, decoded
  const std::string& parameter(std::size_t index) const { return parameters.at(index); }
  std::string_view endpoint;  // the route's pattern: a bounded label for metrics
  net::HttpHeaders headers;   // that every answer carries
  AuditNote audit;            // set by endpoints
  std::string prepared;       // what a route's Prepare made

  // Answers; thread-safe. The first one counts, what comes after it is ignored.
  void send_json(const base::json::object& body);
  void send(int status, std::string_view content_type, std::string body);
  void send_json(int status, const base::json::object& body);
  // Through error_map, in the dialect's form.
  void refuse(const absl::Status& status);
  // Headers that belong to the answer, whenever it comes; those of the same names are replaced.
  // Thread-safe.
  void set_headers(net::HttpHeaders late);
  // Begins a stream of server-sent events; then stream().write() and so on.
  void start_events();
  // The same of a stream of bytes, which ends early where the request's time is up. False where the
  // exchange was answered already.
  bool start_bytes(std::string_view content_type, const net::HttpHeaders& more);
  net::HttpReply& stream() { return *reply_; }

  // From now on what is answered is kept; take_held() gives it, if there is one, and send_held()
  // sends it. For answers that are not streams.
  void hold();
  std::optional<HeldAnswer> take_held();
  void send_held(HeldAnswer held);

  // `over` runs once when the answer is sent or the client is gone, on a thread of the server and
  // under no lock: the place to let go of calls. Thread-safe; at most one.
  void when_over(std::function<void()> over);
  // Runs instead of the plain 504 when the request's time is up. Thread-safe; at most one.
  void when_late(std::function<void(const absl::Status&)> late);

  // For the pipeline: watches the reply until it is over.
  void watch(base::Duration limit, std::function<void(const Exchange&, int status)> over);

 private:
  // Called with mutex_ held.
  net::HttpHeaders answer_headers(std::string_view content_type) const;
  void send(int status, std::string_view content_type, std::string body, net::HttpHeaders extra);
  void late();
  void ended(net::HttpEnd how);

  Services& services_;
  const net::HttpRequest request_;
  const net::HttpReplyPtr reply_;
  const std::string id_;
  const base::TimePoint started_;

  std::mutex mutex_;
  int status_ = 0;  // of the answer; protected by mutex_, as are the following
  bool holds_ = false;
  std::optional<HeldAnswer> held_;
  bool over_ = false;
  net::HttpHeaders late_headers_;
  std::function<void()> when_over_;
  std::function<void(const absl::Status&)> when_late_;
  std::function<void(const Exchange&, int)> record_;
};
using ExchangePtr = std::shared_ptr<Exchange>;  // shared by the reply and the calls in flight

}  // namespace plinth::api
