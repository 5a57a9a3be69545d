#include "governance/spend_alerts.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "base/json.h"
#include "base/log.h"
#include "governance/email.h"
#include "governance/limits.h"
#include "governance/money.h"
#include "governance/period.h"
#include "governance/random_bytes.h"
#include "store/budget_table.h"

namespace plinth::governance {

namespace {

using Object = base::json::object;

constexpr std::size_t kIdBytes = 12;
constexpr std::int64_t kDay = 86'400;

std::string scope_text(const SpendAlert& alert) {
  return alert.project.empty() ? "organization " + alert.organization : "project " + alert.project;
}

store::AlertRow to_row(const SpendAlert& alert) {
  base::json::array recipients;
  for (const auto& one : alert.recipients) recipients.emplace_back(one);
  store::AlertRow row;
  row.id = alert.id;
  row.organization = alert.organization;
  row.project = alert.project;
  row.threshold_pico = alert.threshold_pico;
  row.recipients = base::to_json(recipients);
  if (!alert.subject_prefix.empty()) row.subject_prefix = alert.subject_prefix;
  return row;
}

absl::StatusOr<SpendAlert> to_alert(const store::AlertRow& row) {
  ASSIGN_OR_RETURN(const auto recipients, base::parse_json(row.recipients));
  if (!recipients.is_array()) return base::data_loss("[spend alert] recipients are no list");
  SpendAlert alert{row.id, row.organization, row.project, row.threshold_pico, {}, ""};
  for (const auto& one : recipients.get_array()) {
    if (!one.is_string()) return base::data_loss("[spend alert] a recipient is no text");
    alert.recipients.emplace_back(one.get_string());
  }
  alert.subject_prefix = row.subject_prefix.value_or("");
  return alert;
}

absl::Status check(const SpendAlert& alert) {
  if (alert.threshold_pico < 0 || alert.threshold_pico > kBudgetPicoMax)
    return base::invalid_argument("A threshold is between 0 and a million.");
  if (alert.recipients.empty() || alert.recipients.size() > kAlertRecipientsMax) {
    return base::invalid_argument(
        fmt::format("An alert has 1 to {} recipients.", kAlertRecipientsMax));
  }
  for (const auto& one : alert.recipients) RETURN_IF_ERROR(check_email(one));
  const bool printable =
      std::none_of(alert.subject_prefix.begin(), alert.subject_prefix.end(),
                   [](const char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (!printable || alert.subject_prefix.size() > kAlertPrefixBytesMax) {
    return base::invalid_argument(fmt::format(
        "A subject's prefix has at most {} bytes and no line breaks.", kAlertPrefixBytesMax));
  }
  return absl::OkStatus();
}

// RFC 2047, in words of at most 75 bytes: base 64 of 45 bytes is 60. A character is not cut.
std::string encoded_subject(std::string_view text) {
  const auto plain = [](const char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    auto bytes = std::min<std::size_t>(45, text.size());
    const auto continues = [&](std::size_t at) {
      return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
    };
    while (bytes > 1 && continues(bytes)) --bytes;
    out += fmt::format("{}=?utf-8?B?{}?=", out.empty() ? "" : "\r\n ",
                       absl::Base64Escape(base::to_absl(text.substr(0, bytes))));
    text.remove_prefix(bytes);
  }
  return out;
}

AuditEvent event_of(const store::AlertFiring& firing) {
  AuditEvent event{"spend_alert.fired", {"system", ""}};
  event.organization = firing.alert.organization;
  event.project = firing.alert.project;
  event.resources = {firing.alert.id};
  event.details = {{"id", firing.alert.id},
                   {"data", Object{{"month", format_month(firing.month_s)},
                                   {"threshold", format_money(firing.alert.threshold_pico)},
                                   {"spent", format_money(firing.spent_pico)}}}};
  return event;
}

}  // namespace

std::string notice_json(const SpendNotice& notice) {
  const auto& alert = notice.alert;
  base::json::array recipients;
  for (const auto& one : alert.recipients) recipients.emplace_back(one);
  const bool whole = alert.project.empty();
  return base::to_json(
      Object{{"id", notice.id},
             {"type", whole ? "organization.spend_alert.fired" : "project.spend_alert.fired"},
             {"alert_id", alert.id},
             {"organization_id", alert.organization},
             {"project_id", whole ? base::json::value(nullptr) : base::json::value(alert.project)},
             {"month", format_month(notice.month_s)},
             {"currency", "USD"},
             {"threshold", format_money(alert.threshold_pico)},
             {"spent", format_money(notice.spent_pico)},
             {"fired_at", notice.fired_s},
             {"recipients", std::move(recipients)}});
}

std::string notice_letter(const SpendNotice& notice) {
  const auto& alert = notice.alert;
  const auto subject = fmt::format(
      "{}{}{} of {} spent by {} in {}", alert.subject_prefix,
      alert.subject_prefix.empty() ? "" : " ", format_money(notice.spent_pico),
      format_money(alert.threshold_pico), scope_text(alert), format_month(notice.month_s));
  return fmt::format(
      "To: {}\r\nSubject: {}\r\nMessage-ID: <{}@plinth.invalid>\r\nMIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nAuto-Submitted: auto-generated\r\n\r\n"
      "In {} the {} has spent {} USD so far.\r\nThe alert {} tells you since that reached {} USD."
      "\r\nIt does so once a month, and limits nothing: budgets do.\r\n",
      fmt::join(alert.recipients, ",\r\n "), encoded_subject(subject), notice.id,
      format_month(notice.month_s), scope_text(alert), format_money(notice.spent_pico), alert.id,
      format_money(alert.threshold_pico));
}

SpendAlerts::SpendAlerts(store::Database& database, const base::Clock& clock, OnRecord on_record)
    : clock_(clock), on_record_(std::move(on_record)), rows_(database) {}

SpendAlerts::~SpendAlerts() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

absl::StatusOr<SpendAlert> SpendAlerts::create(SpendAlert alert) {
  RETURN_IF_ERROR(check(alert));
  ASSIGN_OR_RETURN(const auto bytes, system_random_bytes(kIdBytes));
  alert.id = "alert_" + absl::BytesToHexString(base::to_absl(bytes));
  auto row = to_row(alert);
  row.created_s = clock_.unix_seconds();
  RETURN_IF_ERROR(rows_.insert(row, kSpendAlertsMax));
  return alert;
}

absl::StatusOr<SpendAlert> SpendAlerts::find(const std::string& organization,
                                             const std::string& project, const std::string& id) {
  ASSIGN_OR_RETURN(const auto row, rows_.find(organization, project, id));
  return to_alert(row);
}

absl::StatusOr<std::vector<SpendAlert>> SpendAlerts::list(const std::string& organization,
                                                          const std::string& project) {
  ASSIGN_OR_RETURN(const auto rows, rows_.list(organization, project));
  std::vector<SpendAlert> alerts;
  for (const auto& row : rows) {
    ASSIGN_OR_RETURN(alerts.emplace_back(), to_alert(row));
  }
  return alerts;
}

absl::Status SpendAlerts::update(const SpendAlert& alert) {
  RETURN_IF_ERROR(check(alert));
  return rows_.update(to_row(alert));
}

absl::Status SpendAlerts::remove(const SpendAlert& alert) { return rows_.remove(to_row(alert)); }

absl::Status SpendAlerts::look() {
  const auto now_s = clock_.unix_seconds();
  const auto month_s = store::period_start_s("month", now_s);
  std::vector<std::pair<std::int64_t, std::int64_t>> months{
      {month_s, store::period_start_s("month", month_s + 32 * kDay)}};
  // What was spent in the last seconds of the month before.
  if (now_s < month_s + kDay)
    months.insert(months.begin(), {store::period_start_s("month", month_s - kDay), month_s});
  for (const auto& [from_s, to_s] : months) {
    ASSIGN_OR_RETURN(auto passed, rows_.passed(from_s, to_s));
    for (auto& firing : passed) {
      firing.fired_s = now_s;
      const auto status = on_record_([&](AuditEvent& event) -> absl::Status {
        const auto first = rows_.fire(firing);
        if (first.ok() && *first) event = event_of(firing);
        return first.status();
      });
      RETURN_IF_ERROR(status);
    }
  }
  return absl::OkStatus();
}

absl::Status SpendAlerts::deliver_waiting(const DeliverNotice& deliver) {
  for (int told = 0; told < kNoticesAtOnce; ++told) {
    ASSIGN_OR_RETURN(const auto firing, rows_.claim(clock_.unix_seconds(), kNoticeRetry.count()));
    if (!firing) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto alert, to_alert(firing->alert));
    const SpendNotice notice{
        fmt::format("{}_{}_{}", alert.id, firing->month_s, alert.threshold_pico), alert,
        firing->month_s, firing->spent_pico, firing->fired_s};
    LOG(warn, "spend alert {}: {} spent {} of {} in {}", alert.id, scope_text(alert),
        format_money(notice.spent_pico), format_money(alert.threshold_pico),
        format_month(notice.month_s));
    if (const auto status = deliver(notice); !status.ok()) {
      LOG(warn, "spend alert {} is not delivered yet: {}", alert.id, status.ToString());
      continue;
    }
    RETURN_IF_ERROR(rows_.delivered(*firing, clock_.unix_seconds()));
  }
  return absl::OkStatus();
}

absl::Status SpendAlerts::tick(const DeliverNotice& deliver) {
  RETURN_IF_ERROR(look());
  return deliver_waiting(deliver);
}

void SpendAlerts::start(DeliverNotice deliver) {
  thread_ = std::thread([this, deliver = std::move(deliver)] {
    std::unique_lock lock(mutex_);
    while (!stopped_.wait_for(lock, kAlertTick, [&] { return stopping_; })) {
      lock.unlock();
      const auto status = tick(deliver);
      if (!status.ok()) LOG(warn, "spend alerts: {}", status.ToString());
      lock.lock();
    }
  });
}

}  // namespace plinth::governance
