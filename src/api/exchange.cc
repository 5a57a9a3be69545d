#include "api/exchange.h"

#include <fmt/format.h>

#include <atomic>

#include "api/audit_trail.h"
#include "api/azure/dialect.h"
#include "api/error_map.h"
#include "api/rate_headers.h"
#include "api/sse_writer.h"
#include "base/random.h"

namespace plinth::api {

std::string next_id(const base::Clock& clock, std::string_view prefix) {
  static std::atomic<std::uint64_t> counter{0};
  const std::uint64_t number = counter.fetch_add(1);
  const auto words = base::philox4x32(
      {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32), 0, 0},
      {static_cast<std::uint32_t>(clock.unix_seconds()),
       static_cast<std::uint32_t>(clock.now().time_since_epoch().count())});
  return fmt::format("{}{:08x}{:08x}{:08x}", prefix, words[0], words[1], words[2]);
}

Exchange::Exchange(Services& services, net::HttpRequest request, net::HttpReplyPtr reply)
    : services_(services),
      request_(std::move(request)),
      reply_(std::move(reply)),
      id_(next_id(services.clock, "req_")),
      started_(services.clock.now()) {
  if (services.open != nullptr) services.open->begin();
}

Exchange::~Exchange() {
  if (services_.open != nullptr) services_.open->end();
}

net::HttpHeaders Exchange::answer_headers(std::string_view content_type) const {
  auto all = headers;
  all.insert(all.end(), late_headers_.begin(), late_headers_.end());
  const auto spent = services_.clock.now() - started_;
  all.emplace_back(
      "openai-processing-ms",
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(spent).count()));
  if (!content_type.empty()) all.emplace_back("content-type", content_type);
  return all;
}

void Exchange::set_headers(net::HttpHeaders late) {
  std::lock_guard lock(mutex_);
  for (const auto& header : late)
    std::erase_if(late_headers_, [&](const auto& other) { return other.first == header.first; });
  for (auto& header : late) late_headers_.push_back(std::move(header));
}

void Exchange::send(int status, std::string_view content_type, std::string body) {
  send(status, content_type, std::move(body), {});
}

void Exchange::send(int status, std::string_view content_type, std::string body,
                    net::HttpHeaders extra) {
  {
    std::lock_guard lock(mutex_);
    if (status_ != 0) return;
    if (holds_) {
      if (!held_) held_ = {status, std::string(content_type), std::move(body), std::move(extra)};
      return;
    }
    status_ = status;
    auto all = answer_headers(content_type);
    extra.insert(extra.begin(), all.begin(), all.end());
  }
  if (status == 503) extra.emplace_back("retry-after", "1");
  reply_->send(status, extra, std::move(body));
}

void Exchange::send_json(const base::json::object& body) {
  send(200, "application/json", base::to_json(body) + "\n");
}

void Exchange::send_json(int status, const base::json::object& body) {
  send(status, "application/json", base::to_json(body) + "\n");
}

void Exchange::hold() {
  std::lock_guard lock(mutex_);
  holds_ = true;
  held_.reset();
}

std::optional<HeldAnswer> Exchange::take_held() {
  std::lock_guard lock(mutex_);
  holds_ = false;
  return std::exchange(held_, std::nullopt);
}

void Exchange::send_held(HeldAnswer held) {
  send(held.status, held.content_type, std::move(held.body), std::move(held.headers));
}

void Exchange::refuse(const absl::Status& status) {
  record_refusal(*this, status);
  const auto error =
      dialect == Dialect::azure ? azure_error_object(status, request_.path) : error_object(status);
  send(http_status(status), "application/json", base::to_json(error) + "\n", retry_headers(status));
}

void Exchange::start_events() {
  net::HttpHeaders all;
  {
    std::lock_guard lock(mutex_);
    if (status_ != 0) return;
    status_ = 200;
    all = answer_headers(kEventStream);
  }
  all.emplace_back("cache-control", "no-cache");
  all.emplace_back("x-accel-buffering", "no");
  reply_->set_heartbeat(kPingInterval, std::string(kPing));
  reply_->start_stream(200, all);
}

bool Exchange::start_bytes(std::string_view content_type, const net::HttpHeaders& more) {
  net::HttpHeaders all;
  {
    std::lock_guard lock(mutex_);
    if (status_ != 0) return false;
    status_ = 200;
    all = answer_headers(content_type);
  }
  all.insert(all.end(), more.begin(), more.end());
  when_late([self = shared_from_this()](const absl::Status&) { self->reply_->break_off(); });
  reply_->start_stream(200, all);
  return true;
}

void Exchange::when_over(std::function<void()> over) {
  {
    std::lock_guard lock(mutex_);
    if (!over_) {
      when_over_ = std::move(over);
      return;
    }
  }
  over();
}

void Exchange::when_late(std::function<void(const absl::Status&)> late) {
  std::lock_guard lock(mutex_);
  if (!over_) when_late_ = std::move(late);
}

void Exchange::watch(base::Duration limit, std::function<void(const Exchange&, int)> over) {
  record_ = std::move(over);
  // The reply lets go of these, and so of this exchange, once it is over.
  reply_->on_deadline(limit, [self = shared_from_this()] { self->late(); });
  reply_->on_end([self = shared_from_this()](net::HttpEnd how) { self->ended(how); });
}

void Exchange::late() {
  const auto status = absl::DeadlineExceededError("The request took too long and was ended.");
  std::function<void(const absl::Status&)> late;
  {
    std::lock_guard lock(mutex_);
    late = std::exchange(when_late_, nullptr);
  }
  late ? late(status) : refuse(status);
}

void Exchange::ended(net::HttpEnd how) {
  std::function<void()> over;
  std::function<void(const absl::Status&)> late;
  std::function<void(const Exchange&, int)> record;
  int status = 0;
  {
    std::lock_guard lock(mutex_);
    over_ = true;
    over = std::exchange(when_over_, nullptr);
    late = std::exchange(when_late_, nullptr);
    record = std::exchange(record_, nullptr);
    // What proxies log for a client that left before the answer.
    status = how == net::HttpEnd::gone ? 499 : status_;
  }
  if (over) over();
  if (record) record(*this, status);
}

}  // namespace plinth::api
