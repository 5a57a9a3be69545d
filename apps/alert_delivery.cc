#include "apps/alert_delivery.h"

#include <fmt/format.h>

#include "base/file.h"

namespace plinth {

namespace {

// What a webhook may say; nobody reads it.
constexpr std::size_t kAnswerBytesMax = 1u << 20;

}  // namespace

AlertDelivery::AlertDelivery(Options options, std::unique_ptr<net::HttpClient> client)
    : options_(std::move(options)), client_(std::move(client)) {}

absl::Status AlertDelivery::write_letter(const governance::SpendNotice& notice) {
  if (options_.folder.empty() || written_.contains(notice.id)) return absl::OkStatus();
  RETURN_IF_ERROR(base::make_folders(options_.folder, 0700));
  RETURN_IF_ERROR(base::write_file_atomic(fmt::format("{}/{}.eml", options_.folder, notice.id),
                                          governance::notice_letter(notice), 0600));
  written_.insert(notice.id);
  return absl::OkStatus();
}

absl::Status AlertDelivery::call_webhook(const governance::SpendNotice& notice) {
  if (options_.webhook.empty()) return absl::OkStatus();
  std::size_t bytes = 0;
  ASSIGN_OR_RETURN(const auto answer,
                   client_->post(options_.webhook, {"Content-Type: application/json"},
                                 governance::notice_json(notice), [&](std::string_view piece) {
                                   bytes += piece.size();
                                   return bytes <= kAnswerBytesMax;
                                 }));
  if (answer.status >= 200 && answer.status < 300) return absl::OkStatus();
  return base::unavailable(fmt::format("the webhook answered {}", answer.status));
}

absl::Status AlertDelivery::operator()(const governance::SpendNotice& notice) {
  const auto letter = write_letter(notice);
  const auto called = call_webhook(notice);
  RETURN_IF_ERROR(letter);
  RETURN_IF_ERROR(called);
  written_.erase(notice.id);
  return absl::OkStatus();
}

}  // namespace plinth
