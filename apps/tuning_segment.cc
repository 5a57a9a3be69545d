#include "apps/tuning_segment.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "governance/refusal.h"

namespace plinth {

namespace {

using Object = base::json::object;
using governance::SealedFileReader;

constexpr std::size_t kPieceBytes = 256u << 10;
constexpr std::size_t kBaseBytesMax = 1024;
constexpr int kPollMs = 100;

absl::Status write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::errno_status(errno, "[tuning] write");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status write_body(int fd, const SealedFileReader& body) {
  for (std::uint64_t at = 0; at < body.plain_bytes();) {
    ASSIGN_OR_RETURN(const auto piece, body.read(at, kPieceBytes));
    RETURN_IF_ERROR(write_all(fd, piece));
    at += piece.size();
  }
  return absl::OkStatus();
}

struct Pipe {
  base::UniqueFd read, write;
};

absl::StatusOr<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::errno_status(errno, "[tuning] pipe");
  return Pipe{base::UniqueFd(ends[0]), base::UniqueFd(ends[1])};
}

Object object_of(const std::string& text) {
  auto parsed = base::parse_json(text);
  return parsed.ok() && parsed->is_object() ? parsed->get_object() : Object();
}

// Which files a job began with, by their digests.
std::string to_text(const cluster::TuningBase& base) {
  return fmt::format("{} {} {}", base.name, base.content, base.adapter.id);
}

TuningHyperparameters asked_for(const store::TuningJobRow& job) {
  const auto request = object_of(job.request);
  const auto* method = request.if_contains("method");
  return method != nullptr && method->is_object() ? hyperparameters_of(method->get_object())
                                                  : TuningHyperparameters();
}

// A process whose pipe is at its end is about to end, too.
std::string wait_for_end(cluster::WorkerProcess& process) {
  for (;;) {
    if (auto how = process.ended()) return *how;
    ::poll(nullptr, 0, 10);
  }
}

}  // namespace

struct TuningSegment::Data {
  SealedFileReader train;
  std::optional<SealedFileReader> valid;
};

TuningSegment::TuningSegment(const TuningServiceOptions& options, const TuningParts& parts,
                             const store::TuningJobRow& job, std::function<bool()> stopping)
    : options_(options),
      parts_(parts),
      job_(job),
      stopping_(std::move(stopping)),
      folder_(options.folder + "/" + job.id),
      model_(governance::FineTuningJobs::tuned_model_name(job)),
      hyperparameters_(asked_for(job)),
      checks_only_(job.status == governance::kTuningValidating) {}

absl::Status TuningSegment::run() {
  RETURN_IF_ERROR(base::make_folders(folder_, 0700));
  if (const auto opened = open_storage(); !opened.ok())
    return absl::IsAborted(opened) ? absl::OkStatus() : opened;
  // A run that was over when the service ended has only to be published.
  if (const auto finished = base::read_file(finished_path(), 64); finished.ok()) {
    std::int64_t tokens = 0;
    std::from_chars(finished->data(), finished->data() + finished->size(), tokens);
    return publish(tokens);
  }
  const auto base = find_base();
  if (!base.ok()) {
    if (absl::IsFailedPrecondition(base.status()))
      return fail({"model_not_available", std::string(base::message(base.status())), "model"});
    return base.status();
  }
  const auto data = open_data();
  if (!data.ok())
    return data.status().code() == absl::StatusCode::kAborted ? absl::OkStatus() : data.status();
  return run_process(*base, *data);
}

absl::Status TuningSegment::open_storage() {
  if (checks_only_) return absl::OkStatus();  // nothing is kept
  auto key = tuning_key(parts_.governance, job_, folder_);
  if (absl::IsFailedPrecondition(key.status())) {
    RETURN_IF_ERROR(fail_as_lost(key.status()));
    return absl::AbortedError("the job failed");
  }
  RETURN_IF_ERROR(key.status());
  key_ = *std::move(key);
  ASSIGN_OR_RETURN(storage_, governance::SealedStorage::open(folder_, key_));
  return absl::OkStatus();
}

absl::Status TuningSegment::fail_as_lost(const absl::Status& why) {
  return fail({"content_not_readable", std::string(base::message(why)), ""});
}

absl::Status TuningSegment::fail_if_lost() {
  const auto readable = check_tuning_key(parts_.governance, job_.id, folder_);
  return absl::IsFailedPrecondition(readable) ? fail_as_lost(readable) : readable;
}

// FailedPrecondition says why the job cannot go on.
absl::StatusOr<cluster::TuningBase> TuningSegment::find_base() {
  auto base = parts_.models.find(job_.model);
  if (!base.ok()) {
    return base::failed_precondition(
        absl::IsNotFound(base.status())
            ? fmt::format("The model `{}` is not installed any more.", job_.model)
            : std::string(base::message(base.status())));
  }
  if (checks_only_) return base;
  const auto now = to_text(*base);
  const auto began = base::read_file(base_path(), kBaseBytesMax);
  if (absl::IsNotFound(began.status())) {
    RETURN_IF_ERROR(base::write_file_atomic(base_path(), now, 0600));
  } else if (!began.ok()) {
    return began.status();
  } else if (*began != now) {
    return base::failed_precondition(fmt::format(
        "The model `{}` was replaced by another while the job was at work.", job_.model));
  }
  return base;
}

// Aborted where the job has failed by it.
absl::StatusOr<TuningSegment::Data> TuningSegment::open_data() {
  auto& files = parts_.governance.files();
  std::vector<SealedFileReader> readers;
  for (const auto& [id, param] : {std::pair{job_.training_file, "training_file"},
                                  std::pair{job_.validation_file, "validation_file"}}) {
    if (id.empty()) continue;
    const auto row = files.find(job_.organization, job_.project, id);
    auto reader = row.ok() ? files.open_body(*row) : row.status();
    if (!reader.ok()) {
      RETURN_IF_ERROR(
          fail({fmt::format("invalid_{}", param),
                fmt::format("{} cannot be read any more: {}", id, base::message(reader.status())),
                param}));
      return absl::AbortedError("the job failed");
    }
    readers.push_back(*std::move(reader));
  }
  Data data{std::move(readers.front()), std::nullopt};
  if (readers.size() > 1) data.valid.emplace(std::move(readers.back()));
  return data;
}

absl::Status TuningSegment::run_process(const cluster::TuningBase& base, const Data& data) {
  const auto request = object_of(job_.request);
  const auto* seed = request.if_contains("seed");
  TuningTask task;
  task.base_name = base.name;
  task.base_path = base.path;
  task.adapter = base.adapter;
  task.folder = folder_;
  task.key = key_;
  task.hyperparameters = hyperparameters_;
  if (seed != nullptr && seed->is_int64())
    task.seed = static_cast<std::uint64_t>(seed->get_int64());
  task.threads = options_.threads;
  task.train_bytes = data.train.plain_bytes();
  task.valid_bytes = data.valid ? data.valid->plain_bytes() : 0;
  task.checks_only = checks_only_;
  ASSIGN_OR_RETURN(auto input, make_pipe());
  ASSIGN_OR_RETURN(auto output, make_pipe());
  cluster::WorkerSpec spec;
  spec.arguments = {"tune-job"};
  spec.log_path = options_.log_path;
  spec.input = input.read.get();
  spec.output = output.write.get();
  spec.background = true;
  spec.memory_bytes = options_.memory_bytes;
  const auto started = parts_.clock.now();
  ASSIGN_OR_RETURN(const auto process, parts_.executor.start(spec));
  input.read.reset();
  output.write.reset();
  // Fails where the process ends before it has read all: that is told by how it ended.
  std::thread feeder([&task, &data, fd = std::move(input.write)] {
    auto status = write_all(fd.get(), to_line(task));
    if (status.ok()) status = write_body(fd.get(), data.train);
    if (status.ok() && data.valid) status = write_body(fd.get(), *data.valid);
    if (!status.ok()) LOG(warn, "[tuning] a job did not get its data: {}", status.ToString());
  });
  const auto heard = listen(output.read.get(), *process);
  if (!heard.ok()) process->kill();
  output.read.reset();
  const auto how = wait_for_end(*process);
  feeder.join();
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.now() - started);
  RETURN_IF_ERROR(jobs().add_time(job_.id, took.count()));
  RETURN_IF_ERROR(heard);
  return conclude(how);
}

absl::Status TuningSegment::listen(int output, cluster::WorkerProcess& process) {
  std::string buffer;
  for (;;) {
    look_at_orders(process);
    pollfd waits{output, POLLIN, 0};
    if (::poll(&waits, 1, kPollMs) <= 0) continue;
    char piece[4096];
    const auto got = ::read(output, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return absl::OkStatus();
    buffer.append(piece, static_cast<std::size_t>(got));
    RETURN_IF_ERROR(take_lines(buffer));
    if (buffer.size() > kTuningLineBytesMax)
      return base::internal("[tuning] a process writes a line without an end");
  }
}

void TuningSegment::look_at_orders(cluster::WorkerProcess& process) {
  if (!unpaid_.ok()) return process.kill();
  const auto now = parts_.clock.now();
  if (asked_to_end_ && now - asked_at_ > options_.stop_grace) return process.kill();
  if (!asked_to_end_ && stopping_()) {
    asked_to_end_ = true;
    asked_at_ = now;
    return process.interrupt();
  }
  if (now - looked_at_ < options_.poll) return;
  looked_at_ = now;
  if (auto readable = check_tuning_key(parts_.governance, job_.id, folder_);
      absl::IsFailedPrecondition(readable)) {
    lost_ = std::move(readable);
    return process.kill();
  }
  const auto status = jobs().status(job_);
  // A database that is away for a while ends no training.
  if (!status.ok() || *status == job_.status) return;
  dropped_ = *status == governance::kTuningCancelled;
  if (dropped_ || checks_only_) return process.kill();
  if (asked_to_end_) return;
  asked_to_end_ = true;
  asked_at_ = now;
  process.interrupt();
}

absl::Status TuningSegment::take_lines(std::string& buffer) {
  std::size_t begin = 0;
  for (auto end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n', begin)) {
    const auto report = parse_report(std::string_view(buffer).substr(begin, end - begin));
    begin = end + 1;
    if (!report.ok())
      return base::internal(fmt::format("[tuning] {}", base::message(report.status())));
    RETURN_IF_ERROR(take(*report));
  }
  buffer.erase(0, begin);
  return absl::OkStatus();
}

absl::Status TuningSegment::take(const TuningReport& report) {
  if (report.event != "valid") RETURN_IF_ERROR(write_checkpoint());
  if (report.event == "checked") tokens_ = report.integer("tokens");
  if (report.event == "begun") return take_begun(report);
  if (report.event == "step") return take_step(report);
  if (report.event == "valid") return take_valid(report);
  if (report.event == "checked" && checks_only_) {
    return jobs().add_event(
        job_.id, "info",
        fmt::format("The training file has {} {} of {} tokens; {} were cut, {} are there "
                    "twice.",
                    report.integer("examples"), hyperparameters_.prefers ? "pairs" : "examples",
                    report.integer("tokens"), report.integer("truncated"),
                    report.integer("duplicates")));
  }
  if (report.event != "checked") last_ = report;
  return absl::OkStatus();
}

absl::Status TuningSegment::take_begun(const TuningReport& report) {
  begun_at_ = parts_.clock.now();
  done_before_ = report.integer("done");
  steps_ = report.integer("steps");
  steps_of_epoch_ = steps_ / std::max<std::int64_t>(report.integer("n_epochs"), 1);
  Object resolved{{"n_epochs", report.integer("n_epochs")},
                  {"batch_size", report.integer("batch_size")},
                  {"learning_rate_multiplier", report.number("learning_rate_multiplier")}};
  if (hyperparameters_.prefers) resolved["beta"] = report.number("beta");
  RETURN_IF_ERROR(jobs().resolved(job_.id, resolved));
  auto money = hold_money(tokens_ * report.integer("n_epochs"));
  const bool is_too_large = absl::IsInvalidArgument(money);
  if (!money.ok() && !is_too_large && !governance::refusal_of(money)) return money;
  if (!money.ok() && done_before_ == 0) {
    unpaid_ = std::move(money);
    return absl::OkStatus();
  }
  // What has begun is trained to its end.
  if (!money.ok()) {
    RETURN_IF_ERROR(jobs().add_event(
        job_.id, "warn", fmt::format("The job goes on all the same: {}", base::message(money))));
  }
  return jobs().add_event(job_.id, "info",
                          done_before_ > 0
                              ? fmt::format("Training goes on after step {}", done_before_)
                              : "Fine-tuning job started");
}

absl::Status TuningSegment::take_step(const TuningReport& report) {
  const auto step = report.integer("step");
  if (report.integer("skipped") != 0) {
    RETURN_IF_ERROR(
        jobs().add_event(job_.id, "warn",
                         fmt::format("Step {} is a spike and was not taken: training loss={:.2f}",
                                     step, report.number("loss"))));
  }
  const auto every = std::max<std::int64_t>(
      (steps_ + governance::kTuningStepEventsMax - 1) / governance::kTuningStepEventsMax, 1);
  Object metrics{{"step", step},
                 {"total_steps", steps_},
                 {"train_loss", report.number("loss")},
                 {accuracy_name("train"), report.number("accuracy")}};
  if (hyperparameters_.prefers) metrics["train_reward_margin"] = report.number("margin");
  if (steps_of_epoch_ > 0 && step % steps_of_epoch_ == 0) {
    checkpoint_step_ = step;
    checkpoint_metrics_ = metrics;
    checkpoint_metrics_.erase("total_steps");
  }
  if (step != 1 && step != steps_ && step % every != 0) return absl::OkStatus();
  auto data = metrics;
  data["learning_rate"] = report.number("learning_rate");
  RETURN_IF_ERROR(jobs().add_event(
      job_.id, "info",
      fmt::format("Step {}/{}: training loss={:.2f}", step, steps_, report.number("loss")), data));
  const auto took = std::chrono::duration<double>(parts_.clock.now() - begun_at_).count();
  const auto did = static_cast<double>(std::max<std::int64_t>(step - done_before_, 1));
  const auto left_s = took / did * static_cast<double>(steps_ - step);
  return jobs().estimated(
      job_.id, parts_.governance.clock().unix_seconds() + static_cast<std::int64_t>(left_s));
}

absl::Status TuningSegment::take_valid(const TuningReport& report) {
  const auto step = report.integer("step");
  const double loss = report.number("loss"), accuracy = report.number("accuracy");
  if (checkpoint_step_ == step) {
    for (const auto* part : {"valid", "full_valid"}) {
      checkpoint_metrics_[fmt::format("{}_loss", part)] = loss;
      checkpoint_metrics_[accuracy_name(part)] = accuracy;
    }
  }
  Object metrics{{"step", step},
                 {"total_steps", steps_},
                 {"full_valid_loss", loss},
                 {accuracy_name("full_valid"), accuracy}};
  if (hyperparameters_.prefers) metrics["full_valid_reward_margin"] = report.number("margin");
  return jobs().add_event(job_.id, "info",
                          fmt::format("Step {}/{}: validation loss={:.2f}", step, steps_, loss),
                          metrics);
}

std::string TuningSegment::accuracy_name(std::string_view of) const {
  return fmt::format("{}_{}_accuracy", of, hyperparameters_.prefers ? "preference" : "mean_token");
}

absl::Status TuningSegment::write_checkpoint() {
  if (!checkpoint_step_) return absl::OkStatus();
  const auto step = *std::exchange(checkpoint_step_, std::nullopt);
  const auto name =
      step == steps_ ? model_ : governance::FineTuningJobs::checkpoint_name(model_, step);
  return jobs().add_checkpoint(job_.id, step, name, checkpoint_metrics_);
}

absl::Status TuningSegment::conclude(const std::string& how) {
  RETURN_IF_ERROR(write_checkpoint());
  if (dropped_) {
    forget_tuning_folder(parts_.governance, job_.id, folder_);
    return absl::OkStatus();
  }
  if (!lost_.ok()) return fail_as_lost(lost_);
  if (!unpaid_.ok()) return fail({"exceeded_quota", std::string(base::message(unpaid_)), ""});
  if (last_ && last_->event == "failed") {
    return fail({last_->text("code"), last_->text("message"), last_->text("param")});
  }
  if (last_ && last_->event == "valid_files") return jobs().validated(job_.id);
  if (last_ && last_->event == "finished") {
    const auto tokens = last_->integer("trained_tokens");
    RETURN_IF_ERROR(base::write_file_atomic(finished_path(), fmt::format("{}", tokens), 0600));
    return publish(tokens);
  }
  // Asked to end, or its job is another's affair by now.
  if (asked_to_end_) return jobs().stopped(job_.id);
  const auto status = jobs().status(job_);
  if (status.ok() && *status != job_.status) return absl::OkStatus();
  return jobs().crashed(job_.id, how);
}

governance::AuditEvent TuningSegment::audit_event(std::string_view type) const {
  governance::AuditEvent event{std::string(type), {"system", ""}};
  event.organization = job_.organization;
  event.project = job_.project;
  event.resources = {job_.id};
  event.details = {{"id", job_.id}, {"data", {{"model", job_.model}}}};
  return event;
}

absl::Status TuningSegment::fail(const governance::TuningError& error) {
  RETURN_IF_ERROR(parts_.governance.on_record([&](governance::AuditEvent& event) -> absl::Status {
    ASSIGN_OR_RETURN(const bool now, jobs().failed(job_.id, error));
    if (now) event = audit_event("fine_tuning.job.failed");
    return absl::OkStatus();
  }));
  forget_tuning_folder(parts_.governance, job_.id, folder_);
  return absl::OkStatus();
}

}  // namespace plinth
