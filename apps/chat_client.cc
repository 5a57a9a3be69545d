#include "apps/chat_client.h"

#include <fmt/format.h>

#include "net/http_client.h"
#include "net/sse_reader.h"

namespace plinth {

namespace {

constexpr std::size_t kErrorBytesMax = 64u << 10;

const base::json::value* at(const base::json::value* value, std::string_view name) {
  const auto* object = value == nullptr ? nullptr : value->if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}

std::string text_of(const base::json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// {"error":{"message":...}} of a body or an event, or what there is of it.
absl::Status service_error(long status, const std::string& body) {
  const auto document = base::parse_json(body);
  const std::string message =
      document.ok() ? text_of(at(at(&*document, "error"), "message")) : std::string();
  return base::unavailable(message.empty() ? fmt::format("the service answered HTTP {}", status)
                                           : message);
}

// Takes in the events of one stream.
class Assembler {
 public:
  Assembler(ChatAnswer& answer, const ChatSinks& sinks) : answer_(answer), sinks_(sinks) {}

  void event(std::string_view data) {
    if (data == "[DONE]") {
      done_ = true;
      return;
    }
    const auto document = base::parse_json(data);
    if (!document.ok()) {
      failure_ = base::annotate(document.status(), "the service sent no JSON");
      return;
    }
    if (at(&*document, "error") != nullptr) {
      failure_ = service_error(200, std::string(data));
      return;
    }
    if (const auto* usage = at(&*document, "usage"); usage != nullptr && !usage->is_null()) {
      answer_.usage = *usage;
    }
    const auto* choices = at(&*document, "choices");
    if (choices == nullptr || !choices->is_array() || choices->get_array().empty()) return;
    const auto* choice = &choices->get_array().front();
    const std::string piece = text_of(at(at(choice, "delta"), "content"));
    if (!piece.empty()) {
      answer_.text += piece;
      sinks_.text(piece);
    }
    const std::string reason = text_of(at(choice, "finish_reason"));
    if (!reason.empty()) answer_.finish_reason = reason;
  }
  bool done() const { return done_; }
  const absl::Status& failure() const { return failure_; }

 private:
  ChatAnswer& answer_;
  const ChatSinks& sinks_;
  bool done_ = false;
  absl::Status failure_;
};

}  // namespace

absl::StatusOr<ChatAnswer> stream_chat(const ServiceConnection& service,
                                       const base::json::array& messages,
                                       const base::json::object& parameters,
                                       const ChatSinks& sinks) {
  base::json::object request = parameters;
  request["model"] = service.model;
  request["messages"] = messages;
  request["stream"] = true;
  request["stream_options"] = {{"include_usage", true}};
  net::HttpClientOptions options;
  options.silence_max = std::chrono::seconds(0);  // a long prompt is read in silence
  options.proxies = !is_this_machine(service.url);
  options.stop = sinks.stop;
  const auto client = net::make_http_client(options);
  ChatAnswer answer;
  Assembler assembler(answer, sinks);
  net::SseReader reader([&](std::string_view data) { assembler.event(data); });
  std::string raw;  // of an answer that is no stream
  absl::Status broken;
  const auto response = client->post(
      service.url + "/v1/chat/completions",
      {"Authorization: Bearer " + service.key, "Content-Type: application/json", "Expect:"},
      base::to_json(request), [&](std::string_view piece) {
        if (raw.size() < kErrorBytesMax) raw.append(piece.substr(0, kErrorBytesMax - raw.size()));
        broken = reader.feed(piece);
        return broken.ok() && assembler.failure().ok();
      });
  RETURN_IF_ERROR(broken);
  RETURN_IF_ERROR(assembler.failure());
  if (absl::IsCancelled(response.status())) {
    answer.stopped = true;
    return answer;
  }
  RETURN_IF_ERROR(response.status());
  if (response->status != 200) return service_error(response->status, raw);
  if (!assembler.done()) return base::unavailable("the answer broke off: the service went away");
  return answer;
}

}  // namespace plinth
