#include "apps/train_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <filesystem>
#include <numbers>

#include "apps/stop_signals.h"
#include "apps/training_run.h"
#include "base/file.h"

namespace plinth {

namespace {

constexpr char kResultsHead[] =
    "step,train_loss,train_mean_token_accuracy,learning_rate,gradient_norm,valid_loss\n";

}  // namespace

TrainLog::TrainLog(const TrainOptions& options, train::Trainer& trainer, train::Objective& valid,
                   double bytes_per_token, const base::Clock& clock)
    : options_(options),
      trainer_(trainer),
      valid_(valid),
      bytes_per_token_(bytes_per_token),
      clock_(clock),
      speaks_(trainer.ranks().place().rank == 0),
      begun_(clock.now()),
      csv_(kResultsHead) {}

absl::Status TrainLog::begin() {
  RETURN_IF_ERROR(
      begin_run(options_.folder, options_.resume ? ResumeMode::must : ResumeMode::never, trainer_));
  if (!options_.resume) return absl::OkStatus();
  csv_ += results_until(results(), kResultsHead, trainer_.done());
  report_.steps = steps_of_csv(csv_);
  if (speaks_) fmt::print(stderr, "goes on after step {}\n", trainer_.done());
  return absl::OkStatus();
}

absl::Status TrainLog::run() {
  StepsOptions steps;
  steps.folder = options_.folder;
  steps.checkpoint_steps = options_.checkpoint_steps;
  steps.asked_to_stop = asked_to_stop;
  steps.save = [this] { return save(); };
  steps.after_step = [this](const train::StepReport& report) { return show(report); };
  RETURN_IF_ERROR(run_steps(steps, trainer_));
  return speaks_ ? save() : absl::OkStatus();
}

absl::Status TrainLog::save() const { return base::write_file_atomic(results(), csv_); }

absl::Status TrainLog::show(const train::StepReport& report) {
  tokens_ += report.tokens;
  const double seconds = std::chrono::duration<double>(clock_.now() - begun_).count();
  const double rate = seconds > 0 ? static_cast<double>(tokens_) / seconds : 0;
  report_.steps.push_back({report.step, report.loss.mean(), token_accuracy(report.loss),
                           report.learning_rate, report.gradient_norm, rate});
  csv_ += fmt::format("{},{:.6f},{:.6f},{:.6g},{:.6f},", report.step, report.loss.mean(),
                      token_accuracy(report.loss), report.learning_rate, report.gradient_norm);
  if (report.step % options_.eval_steps == 0 || report.step == trainer_.steps()) {
    ASSIGN_OR_RETURN(const auto valid, trainer_.evaluate(valid_));
    const double loss = valid.mean(), bits = loss / std::numbers::ln2 / bytes_per_token_;
    csv_ += fmt::format("{:.6f}", loss);
    const auto seen = fmt::format("{:.4f}, {:.4f} bits per byte", loss, bits);
    if (speaks_) {
      fmt::print(stderr, "step {}/{}  loss {:.4f}  valid {}  {:.1f} s  {:.0f} tokens/s\n",
                 report.step, trainer_.steps(), report.loss.mean(), seen, seconds, rate);
    }
    report_.facts.emplace_back(fmt::format("unseen, after step {}", report.step), seen);
  }
  csv_ += "\n";
  if (report.skipped && speaks_) fmt::print(stderr, "{}\n", skipped_line(report));
  return absl::OkStatus();
}

absl::Status TrainLog::leave_report(const std::string& model, const Facts& facts) {
  const auto& trainer = options_.trainer;
  report_.title = std::filesystem::path(options_.folder).filename().string() + ", trained";
  report_.ended = fmt::format("{:%Y-%m-%d %H:%M} UTC",
                              fmt::gmtime(static_cast<std::time_t>(clock_.unix_seconds())));
  auto all = facts;
  all.emplace_back("steps", std::to_string(trainer.steps));
  all.emplace_back("windows of a step",
                   fmt::format("{} of {} tokens", trainer.batch_size, options_.context));
  all.emplace_back("optimizer", trainer.muon ? "Muon, and AdamW" : "AdamW");
  all.emplace_back("learning rate", fmt::format("{:.6g}", trainer.schedule.rate));
  all.emplace_back("seed", std::to_string(trainer.seed));
  report_.facts.insert(report_.facts.begin(), all.begin(), all.end());
  report_.how_to_use = {fmt::format("plinth model import {} --as my-model",
                                    std::filesystem::path(model).filename().string()),
                        "plinth run --model my-model \"Once\""};
  return write_training_report(options_.folder, report_);
}

}  // namespace plinth
