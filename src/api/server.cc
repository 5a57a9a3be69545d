#include "api/server.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "absl/strings/cord.h"
#include "api/error_map.h"
#include "api/openai/chat_completions.h"
#include "base/random.h"
#include "net/http_server.h"

namespace plinth::api {

namespace {

using protocol::GenerateEvent;

// How often a waiting request looks whether its client is still there.
constexpr std::chrono::milliseconds kGonePoll{20};

std::string json_body(const base::json::object& object) { return base::to_json(object) + "\n"; }

// The events of one call, handed from the model's thread to the connection's.
class EventQueue {
 public:
  void push(std::vector<GenerateEvent> events) {
    std::lock_guard lock(mutex_);
    for (auto& event : events) events_.push_back(std::move(event));
    changed_.notify_one();
  }
  // Empty after `limit` without an event.
  std::deque<GenerateEvent> wait(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [&] { return !events_.empty(); });
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<GenerateEvent> events_;  // protected by mutex_
};

class ServerImpl final : public Server {
 public:
  ServerImpl(cluster::ModelService& models, governance::ApiKeys& keys, const base::Clock& clock,
             base::Metrics& metrics)
      : models_(models), keys_(keys), clock_(clock), metrics_(metrics) {}

  absl::Status listen(const ServerOptions& options) {
    net::HttpServerOptions http;
    http.address = options.address;
    http.port = options.port;
    ASSIGN_OR_RETURN(http_, net::HttpServer::listen(
                                http,
                                [this](const net::HttpRequest& request, net::HttpWriter& writer) {
                                  handle(request, writer);
                                },
                                [](int status, std::string_view reason) {
                                  const auto error =
                                      status == 413
                                          ? absl::OutOfRangeError("Request body is too large.")
                                          : base::invalid_argument(reason);
                                  return json_body(error_object(error));
                                }));
    return absl::OkStatus();
  }

  std::uint16_t port() const override { return http_->port(); }
  void drain(std::chrono::milliseconds grace) override { http_->drain(grace); }

 private:
  // The order of the middleware: the id first, so that every answer carries it; then the routes
  // that need no key; then the key, before anything that costs work; then the endpoint.
  void handle(const net::HttpRequest& request, net::HttpWriter& writer) {
    net::HttpHeaders headers{{"x-request-id", next_id("req_")},
                             {"content-type", "application/json"}};
    const auto started = clock_.now();
    const int status = route(request, writer, headers);
    metrics_
        .counter("plinth_http_requests_total", "Requests by path and status.",
                 {{"path", known_path(request.path)}, {"status", std::to_string(status)}})
        .Increment();
    metrics_
        .histogram("gen_ai_server_request_duration_seconds", "Whole requests.",
                   {0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60}, {{"path", known_path(request.path)}})
        .Observe(std::chrono::duration<double>(clock_.now() - started).count());
  }

  // Paths come from clients: a label for each would let them fill the memory.
  static std::string known_path(const std::string& path) {
    for (const char* known :
         {"/v1/chat/completions", "/v1/models", "/healthz", "/readyz", "/metrics"}) {
      if (path == known) return known;
    }
    return path.starts_with("/v1/models/") ? "/v1/models/{id}" : "other";
  }

  int route(const net::HttpRequest& request, net::HttpWriter& writer, net::HttpHeaders& headers) {
    const auto answer = [&](const base::json::object& body) {
      writer.send(200, headers, json_body(body));
      return 200;
    };
    if (request.path == "/healthz") return answer({{"status", "ok"}});
    if (request.path == "/readyz") {
      if (models_.ready()) return answer({{"status", "ready"}});
      return refuse(writer, headers, base::unavailable("models are still loading"));
    }
    if (request.path == "/metrics") {
      headers.back().second = "text/plain; version=0.0.4";
      writer.send(200, headers, metrics_.exposition());
      return 200;
    }
    if (!request.path.starts_with("/v1/")) return refuse(writer, headers, unknown_url(request));
    if (const auto status = authenticate(request); !status.ok())
      return refuse(writer, headers, status);
    const bool chat = request.path == "/v1/chat/completions";
    const bool list = request.path == "/v1/models";
    if (!chat && !list && !request.path.starts_with("/v1/models/")) {
      return refuse(writer, headers, unknown_url(request));
    }
    if (request.method != (chat ? "POST" : "GET")) {
      headers.emplace_back("allow", chat ? "POST" : "GET");
      const auto error = error_object(base::invalid_argument(
          fmt::format("Not allowed to {} on {}.", request.method, request.path)));
      writer.send(405, headers, json_body(error));
      return 405;
    }
    if (chat) return chat_completions(request, writer, headers);
    if (list) {
      base::json::array data;
      for (const auto& card : models_.list()) data.push_back(model_object(card));
      return answer({{"object", "list"}, {"data", std::move(data)}});
    }
    const std::string name = request.path.substr(std::string_view("/v1/models/").size());
    const auto card = models_.find(name);
    if (!card.ok()) return refuse(writer, headers, model_not_found(name, true));
    return answer(model_object(*card));
  }

  static absl::Status unknown_url(const net::HttpRequest& request) {
    return base::not_found(fmt::format("Invalid URL ({} {})", request.method, request.path));
  }

  static absl::Status model_not_found(const std::string& name, bool with_param) {
    absl::Status status = base::not_found(
        fmt::format("The model `{}` does not exist or you do not have access to it.", name));
    status.SetPayload(protocol::kCodePayload, absl::Cord("model_not_found"));
    if (with_param) status.SetPayload(protocol::kParamPayload, absl::Cord("model"));
    return status;
  }

  static base::json::object model_object(const cluster::ModelCard& card) {
    return {{"id", card.id},
            {"object", "model"},
            {"created", card.created_unix_seconds},
            {"owned_by", card.owned_by}};
  }

  absl::Status authenticate(const net::HttpRequest& request) {
    const auto header = request.headers.find("authorization");
    std::string key;
    if (header != request.headers.end() && header->second.size() > 7 &&
        (header->second.starts_with("Bearer ") || header->second.starts_with("bearer "))) {
      key = header->second.substr(7);
    }
    if (key.empty()) {
      return absl::UnauthenticatedError(
          "You didn't provide an API key. You need to provide your API key in an Authorization "
          "header "
          "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).");
    }
    const auto principal = keys_.authenticate(key);
    if (principal.ok()) return absl::OkStatus();
    if (!absl::IsUnauthenticated(principal.status())) return principal.status();
    absl::Status status = absl::UnauthenticatedError(
        base::to_absl(fmt::format("Incorrect API key provided: {}.", governance::mask_key(key))));
    status.SetPayload(protocol::kCodePayload, absl::Cord("invalid_api_key"));
    return status;
  }

  int refuse(net::HttpWriter& writer, net::HttpHeaders& headers, const absl::Status& status) {
    const int code = http_status(status);
    if (code == 503) headers.emplace_back("retry-after", "1");
    writer.send(code, headers, json_body(error_object(status)));
    return code;
  }

  std::string next_id(std::string_view prefix) {
    const auto words =
        base::philox4x32({static_cast<std::uint32_t>(counter_.fetch_add(1)), 0, 0, 0},
                         {static_cast<std::uint32_t>(clock_.unix_seconds()),
                          static_cast<std::uint32_t>(clock_.now().time_since_epoch().count())});
    return fmt::format("{}{:08x}{:08x}{:08x}", prefix, words[0], words[1], words[2]);
  }

  int chat_completions(const net::HttpRequest& http, net::HttpWriter& writer,
                       net::HttpHeaders& headers) {
    auto request = parse_chat_request(http.body);
    if (!request.ok()) return refuse(writer, headers, request.status());
    const std::string model = request->generate.model;
    if (!models_.find(model).ok()) return refuse(writer, headers, model_not_found(model, false));
    const std::string id = next_id("chatcmpl-");
    request->generate.request_id = id;
    EventQueue queue;
    const bool stream = request->stream, usage = request->include_usage,
               logprobs = request->generate.logprobs;
    const auto n = request->generate.n;
    const auto call = models_.generate(
        std::move(request->generate),
        [&queue](std::vector<GenerateEvent> events) { queue.push(std::move(events)); });
    const Shape shape{id, model, clock_.unix_seconds(), n, logprobs, usage};
    const int status = stream ? stream_chat(queue, writer, headers, shape)
                              : whole_chat(queue, writer, headers, shape);
    return status;
  }

  struct Shape {
    std::string id, model;
    std::int64_t created;
    std::int32_t n;
    bool logprobs, include_usage;
  };

  struct Choice {
    std::string text;
    std::vector<protocol::PositionLogprobs> logprobs;
    std::string_view reason = "stop";
  };

  int whole_chat(EventQueue& queue, net::HttpWriter& writer, net::HttpHeaders& headers,
                 const Shape& shape) {
    std::vector<Choice> choices(static_cast<std::size_t>(shape.n));
    std::string fingerprint;
    while (true) {
      auto events = queue.wait(kGonePoll);
      if (events.empty() && writer.client_gone()) return 499;
      for (auto& event : events) {
        if (auto* admitted = std::get_if<protocol::Admitted>(&event)) {
          fingerprint = admitted->system_fingerprint;
        } else if (auto* delta = std::get_if<protocol::Delta>(&event)) {
          auto& choice = choices[static_cast<std::size_t>(delta->index)];
          choice.text += delta->text;
          for (auto& position : delta->logprobs) choice.logprobs.push_back(std::move(position));
        } else if (auto* end = std::get_if<protocol::ChoiceEnd>(&event)) {
          choices[static_cast<std::size_t>(end->index)].reason =
              protocol::finish_reason_name(end->reason);
        } else if (auto* finished = std::get_if<protocol::Finished>(&event)) {
          if (!finished->status.ok()) return refuse(writer, headers, finished->status);
          writer.send(200, headers,
                      json_body(whole_object(choices, finished->usage, fingerprint, shape)));
          return 200;
        }
      }
    }
  }

  static base::json::object whole_object(const std::vector<Choice>& choices,
                                         const protocol::Usage& usage,
                                         const std::string& fingerprint, const Shape& shape) {
    base::json::array list;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      base::json::value logprobs = nullptr;
      if (shape.logprobs) logprobs = chat_logprobs(choices[i].logprobs);
      list.push_back({{"index", i},
                      {"message",
                       {{"role", "assistant"},
                        {"content", choices[i].text},
                        {"refusal", nullptr},
                        {"annotations", base::json::array()}}},
                      {"logprobs", std::move(logprobs)},
                      {"finish_reason", choices[i].reason}});
    }
    return {{"id", shape.id},
            {"object", "chat.completion"},
            {"created", shape.created},
            {"model", shape.model},
            {"choices", std::move(list)},
            {"usage", usage_object(usage)},
            {"service_tier", "default"},
            {"system_fingerprint", fingerprint}};
  }

  // WIRE: role chunk, content chunks, an empty delta with the reason; with include_usage every
  // chunk has "usage": null and one more, without choices, has the numbers; then [DONE].
  int stream_chat(EventQueue& queue, net::HttpWriter& writer, net::HttpHeaders& headers,
                  const Shape& shape) {
    std::string fingerprint;
    bool started = false;
    std::vector<bool> opened(static_cast<std::size_t>(shape.n), false);
    std::string out;
    const auto chunk = [&](base::json::array choices, base::json::value usage) {
      base::json::object object{{"id", shape.id},
                                {"object", "chat.completion.chunk"},
                                {"created", shape.created},
                                {"model", shape.model},
                                {"service_tier", "default"},
                                {"system_fingerprint", fingerprint}};
      object["choices"] = std::move(choices);
      if (shape.include_usage) object["usage"] = std::move(usage);
      out += "data: " + base::to_json(object) + "\n\n";
    };
    const auto choice = [&](std::int32_t index, base::json::object delta,
                            base::json::value logprobs, base::json::value reason) {
      chunk({{{"index", index},
              {"delta", std::move(delta)},
              {"logprobs", std::move(logprobs)},
              {"finish_reason", std::move(reason)}}},
            nullptr);
    };
    while (true) {
      auto events = queue.wait(kGonePoll);
      if (events.empty() && writer.client_gone()) return 499;
      for (auto& event : events) {
        if (auto* finished = std::get_if<protocol::Finished>(&event)) {
          if (!finished->status.ok() && !started) return refuse(writer, headers, finished->status);
          if (!finished->status.ok()) {
            out += "data: " + base::to_json(error_object(finished->status)) + "\n\n";
          } else {
            if (shape.include_usage) chunk({}, usage_object(finished->usage));
            out += "data: [DONE]\n\n";
          }
          return writer.write(out) ? 200 : 499;
        }
        if (auto* admitted = std::get_if<protocol::Admitted>(&event)) {
          fingerprint = admitted->system_fingerprint;
          headers[1].second = "text/event-stream; charset=utf-8";
          headers.emplace_back("cache-control", "no-cache");
          headers.emplace_back("x-accel-buffering", "no");
          writer.start_stream(200, headers);
          started = true;
          continue;
        }
        const auto* delta = std::get_if<protocol::Delta>(&event);
        const auto* end = std::get_if<protocol::ChoiceEnd>(&event);
        const auto index = delta ? delta->index : end->index;
        if (!opened[static_cast<std::size_t>(index)]) {
          opened[static_cast<std::size_t>(index)] = true;
          base::json::value empty = nullptr;
          if (shape.logprobs)
            empty = base::json::object{{"content", base::json::array()}, {"refusal", nullptr}};
          choice(index, {{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}},
                 std::move(empty), nullptr);
        }
        if (delta != nullptr) {
          base::json::value logprobs = nullptr;
          if (shape.logprobs) logprobs = chat_logprobs(delta->logprobs);
          choice(index, {{"content", delta->text}}, std::move(logprobs), nullptr);
        } else {
          choice(index, {}, nullptr, base::json::value(protocol::finish_reason_name(end->reason)));
        }
      }
      if (!out.empty() && !writer.write(out)) return 499;
      out.clear();
    }
  }

  cluster::ModelService& models_;
  governance::ApiKeys& keys_;
  const base::Clock& clock_;
  base::Metrics& metrics_;
  std::atomic<std::uint64_t> counter_{0};
  std::unique_ptr<net::HttpServer> http_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::create(const ServerOptions& options,
                                                       cluster::ModelService& models,
                                                       governance::ApiKeys& keys,
                                                       const base::Clock& clock,
                                                       base::Metrics& metrics) {
  auto server = std::make_unique<ServerImpl>(models, keys, clock, metrics);
  RETURN_IF_ERROR(server->listen(options));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace plinth::api
