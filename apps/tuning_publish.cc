// What becomes of a run that was over: files and models of its project, and a row of the ledger.
#include <fmt/format.h>

#include "apps/training_run.h"
#include "apps/tuning_segment.h"
#include "base/file.h"
#include "governance/money_left.h"

namespace plinth {

namespace {

constexpr std::size_t kBaseBytesMax = 1024;
constexpr char kTrainingClass[] = "training";  // of prices

// What is needed of it once the run is over.
cluster::TuningBase base_of(std::string_view text) {
  const auto end = text.find(' ');
  cluster::TuningBase base;
  base.name = text.substr(0, end);
  if (end != std::string_view::npos)
    base.content = text.substr(end + 1, text.find(' ', end + 1) - end - 1);
  return base;
}

}  // namespace

absl::StatusOr<std::string> TuningSegment::keep_results() {
  ASSIGN_OR_RETURN(const auto results, storage_->read(folder_ + "/results.csv"));
  auto& files = parts_.governance.files();
  ASSIGN_OR_RETURN(auto writer, files.begin(job_.organization, job_.project));
  RETURN_IF_ERROR(writer.write(results.text()));
  ASSIGN_OR_RETURN(const auto row, files.commit(std::move(writer), job_.organization, job_.project,
                                                {"fine-tune-results", "results.csv"}));
  return row.id;
}

std::vector<TuningSegment::Made> TuningSegment::made() const {
  std::vector<Made> all;
  for (const auto step : epochs_left(folder_)) {
    all.push_back(
        {governance::FineTuningJobs::checkpoint_name(model_, step), epoch_folder(folder_, step)});
  }
  all.push_back({model_, folder_ + "/adapter"});
  return all;
}

absl::Status TuningSegment::install(const std::vector<Made>& models) {
  ASSIGN_OR_RETURN(const auto text, base::read_file(base_path(), kBaseBytesMax));
  const auto base = base_of(text);
  for (const auto& [name, folder] : models) {
    // Whose it is comes first: it is nobody else's for a moment.
    RETURN_IF_ERROR(parts_.governance.model_permissions().give(name, job_.project));
    RETURN_IF_ERROR(parts_.models.publish(
        {name, job_.organization, job_.project, base, folder, storage_.get()}));
  }
  return absl::OkStatus();
}

absl::Status TuningSegment::withdraw(const std::vector<Made>& models) {
  for (const auto& [name, folder] : models) {
    const auto removed = parts_.models.remove(name);
    // A legal hold keeps it, and then it is the project's.
    if (absl::IsFailedPrecondition(removed)) continue;
    if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
    RETURN_IF_ERROR(parts_.governance.model_permissions().take(name, job_.project));
  }
  return absl::OkStatus();
}

absl::StatusOr<governance::Price> TuningSegment::price() {
  ASSIGN_OR_RETURN(auto prices, parts_.governance.limits().prices());
  return governance::PriceBook(std::move(prices))
      .at(job_.model, kTrainingClass, parts_.governance.clock().unix_seconds());
}

governance::Principal TuningSegment::payer() const {
  governance::Principal payer;
  payer.organization = job_.organization;
  payer.project = job_.project;
  return payer;
}

governance::Demand TuningSegment::demand() const {
  governance::Demand demand{job_.model};
  demand.service_class = kTrainingClass;
  return demand;
}

absl::Status TuningSegment::hold_money(std::int64_t trained_tokens) {
  governance::TokenCount most;
  most.input = trained_tokens;
  ASSIGN_OR_RETURN(money_,
                   governance::hold_money(parts_.governance.admission(), payer(), demand(), most));
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> TuningSegment::charge(std::int64_t trained_tokens) {
  ASSIGN_OR_RETURN(const auto price, money_ ? money_->price() : this->price());
  // All of its processes' time, not only that of this one.
  ASSIGN_OR_RETURN(const auto job, jobs().find(job_.project, job_.id));
  governance::UsageEvent event;
  event.request_id = job_.id;
  event.principal = payer();
  event.demand = demand();
  event.operation = "fine_tuning";
  event.tokens.input = trained_tokens;
  event.device_us = job.device_ms * 1000;
  const auto now_ms = parts_.governance.clock().unix_millis();
  const auto row = governance::to_ledger_row(event, price, now_ms);
  auto& ledger = parts_.governance.usage();
  auto charged = money_ ? ledger.append({&row, 1}, money_->lease()) : ledger.append({&row, 1});
  // What was held lapsed with its lease. The work is done, and a budget pays for it all the same.
  if (money_ && absl::IsFailedPrecondition(charged)) charged = ledger.append({&row, 1});
  RETURN_IF_ERROR(charged);
  return row.amount_pico;
}

void TuningSegment::settle(const absl::Status& charged, std::int64_t amount_pico) {
  auto money = std::exchange(money_, std::nullopt);
  if (!money) return;
  auto& admission = parts_.governance.admission();
  if (charged.ok())
    admission.settle(*std::move(money), {}, amount_pico);
  else
    admission.abandon(*std::move(money));
}

absl::Status TuningSegment::publish(std::int64_t trained_tokens) {
  const auto results = keep_results();
  if (!results.ok()) {
    RETURN_IF_ERROR(jobs().add_event(
        job_.id, "warn",
        fmt::format("results.csv was not kept: {}", base::message(results.status()))));
  }
  const auto models = made();
  if (const auto installed = install(models); !installed.ok()) {
    RETURN_IF_ERROR(withdraw(models));
    return fail(
        {"training_failed",
         fmt::format("The tuned model could not be installed: {}", base::message(installed)), ""});
  }
  bool wanted = false;
  std::int64_t amount_pico = 0;
  const governance::TuningResult result{model_, results.value_or(""), trained_tokens};
  const auto over = parts_.governance.on_record([&](governance::AuditEvent& event) -> absl::Status {
    ASSIGN_OR_RETURN(wanted, jobs().succeeded(job_.id, result));
    if (!wanted) return absl::OkStatus();
    ASSIGN_OR_RETURN(amount_pico, charge(trained_tokens));
    event = audit_event("fine_tuning.job.succeeded");
    for (const auto& model : models) event.resources.push_back(model.name);
    return absl::OkStatus();
  });
  settle(over, amount_pico);
  RETURN_IF_ERROR(over);
  // It was cancelled meanwhile.
  if (!wanted) RETURN_IF_ERROR(withdraw(models));
  forget_tuning_folder(parts_.governance, job_.id, folder_);
  return absl::OkStatus();
}

}  // namespace plinth
