#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/random.h"
#include "base/units.h"
#include "train/gradient_sum.h"
#include "train/packing.h"
#include "train/share.h"

namespace plinth::train {

namespace {

// Of random numbers: apart from those that shuffle, whose streams are epochs.
constexpr std::uint64_t kDrawStream = std::uint64_t{1} << 63;

// Fisher and Yates, 1938.
std::vector<std::size_t> shuffled(std::size_t count, std::uint64_t seed, std::int64_t epoch) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = count; i > 1; --i) {
    const double draw = base::uniform_at(seed, i, static_cast<std::uint64_t>(epoch));
    std::swap(order[i - 1], order[static_cast<std::size_t>(draw * static_cast<double>(i))]);
  }
  return order;
}

std::function<bool(const Parameter<float>&)> left_to_muon(const TrainerOptions& options) {
  if (!options.muon) return nullptr;
  return muon_takes;
}
}  // namespace

Trainer::Trainer(Decoder<float>& decoder, const Dataset& data, const TrainerOptions& options,
                 Compute& compute, Collective* ranks)
    : decoder_(decoder),
      options_(options),
      compute_(compute),
      alone_(ranks == nullptr ? alone() : nullptr),
      ranks_(ranks == nullptr ? *alone_ : *ranks),
      objective_(objective_of(data)),
      tape_(compute),
      optimizer_(decoder.parameters(), options.adamw, ranks_.place(), left_to_muon(options)),
      spike_guard_(options.spike_guard),
      steps_per_epoch_(base::ceil_div(objective_.records(), options.batch_size)),
      steps_(options.steps > 0 ? options.steps : steps_per_epoch_ * options.epochs) {
  if (options.muon) muon_.emplace(decoder.parameters(), options.muon_options, ranks_.place());
}

Trainer::Trainer(Decoder<float>& decoder, std::unique_ptr<Objective> learnt,
                 const TrainerOptions& options, Compute& compute, Collective* ranks)
    : decoder_(decoder),
      options_(options),
      compute_(compute),
      alone_(ranks == nullptr ? alone() : nullptr),
      ranks_(ranks == nullptr ? *alone_ : *ranks),
      objective_(*(objectives_[nullptr] = std::move(learnt))),
      tape_(compute),
      optimizer_(decoder.parameters(), options.adamw, ranks_.place(), left_to_muon(options)),
      spike_guard_(options.spike_guard),
      steps_per_epoch_(base::ceil_div(objective_.records(), options.batch_size)),
      steps_(options.steps > 0 ? options.steps : steps_per_epoch_ * options.epochs) {
  if (options.muon) muon_.emplace(decoder.parameters(), options.muon_options, ranks_.place());
}

Objective& Trainer::objective_of(const Dataset& data) {
  auto& objective = objectives_[&data];
  if (objective == nullptr) {
    objective = make_objective(options_.objective, data, decoder_, options_.pass_tokens, compute_);
  }
  return *objective;
}

std::vector<std::size_t> Trainer::batch(std::int64_t step) {
  if (options_.steps > 0) {
    const auto count = static_cast<double>(objective_.records());
    std::vector<std::size_t> drawn;
    for (std::int64_t i = 0; i < options_.batch_size; ++i) {
      const auto at = static_cast<std::uint64_t>(step * options_.batch_size + i);
      drawn.push_back(
          static_cast<std::size_t>(base::uniform_at(options_.seed, at, kDrawStream) * count));
    }
    return drawn;
  }
  const auto epoch = step / steps_per_epoch_;
  if (std::exchange(order_epoch_, epoch) != epoch)
    order_ = shuffled(static_cast<std::size_t>(objective_.records()), options_.seed, epoch);
  const auto begin = step % steps_per_epoch_ * options_.batch_size;
  const auto end = std::min(begin + options_.batch_size, objective_.records());
  return {order_.begin() + begin, order_.begin() + end};
}

Recompute Trainer::recompute_for(std::int64_t tokens) const {
  if (options_.recompute) return *options_.recompute;
  const auto bytes =
      kept_numbers(decoder_.spec()) * tokens * static_cast<std::int64_t>(sizeof(float));
  return bytes <= options_.kept_bytes_max ? Recompute::none : Recompute::full;
}

Loss Trainer::passes(Objective& objective, const std::vector<std::size_t>& chosen, double factor,
                     std::int64_t& tokens, const std::function<void()>& last) {
  std::vector<std::int64_t> all, lengths;
  for (const auto record : chosen) all.push_back(objective.tokens(record));
  const auto share = share_of(all, ranks_.place());
  for (const auto place : share) lengths.push_back(all[place]);
  Pass pass{tape_, decoder_, Recompute::full, factor, 0};
  Loss loss;
  const auto packed = pack(lengths, options_.pass_tokens);
  for (const auto& places : packed) {
    std::vector<std::size_t> together;
    std::int64_t together_tokens = 0;
    for (const auto place : places) {
      together.push_back(chosen[share[place]]);
      together_tokens += lengths[place];
    }
    pass.recompute = recompute_for(together_tokens);
    if (&places == &packed.back()) last();
    loss += objective.pass(pass, together);
  }
  tokens += pass.tokens;
  return loss;
}

absl::Status Trainer::sum(Loss& loss, std::int64_t& tokens, double& more) {
  double numbers[] = {loss.sum,
                      loss.weight,
                      static_cast<double>(loss.targets),
                      static_cast<double>(loss.correct),
                      loss.margin,
                      static_cast<double>(tokens),
                      more};
  RETURN_IF_ERROR(ranks_.all_reduce_sum(numbers));
  loss = {numbers[0], numbers[1], static_cast<std::int64_t>(numbers[2]),
          static_cast<std::int64_t>(numbers[3]), numbers[4]};
  tokens = static_cast<std::int64_t>(numbers[5]);
  more = numbers[6];
  return absl::OkStatus();
}

absl::StatusOr<StepReport> Trainer::step() {
  const auto number = done();
  if (number >= steps_) return base::failed_precondition("[train] the run is over");
  StepReport report;
  report.step = number + 1;
  report.epoch = number / steps_per_epoch_;
  report.learning_rate = learning_rate(options_.schedule, number, steps_);
  const auto chosen = batch(number);
  // By the weight of the whole batch, however it is cut into shares and passes.
  double weight = 0;
  for (const auto record : chosen) weight += objective_.weight(record);
  auto& parameters = decoder_.parameters();
  parameters.clear_gradients();
  decoder_.pack(compute_);
  GradientSum gradients(parameters, ranks_);
  report.loss = passes(objective_, chosen, 1 / weight, report.tokens, [&] {
    decoder_.set_on_final([&](std::size_t begin) { gradients.final_from(begin); });
  });
  decoder_.set_on_final(nullptr);
  RETURN_IF_ERROR(gradients.finish());
  double squares = gradient_squares(parameters, ranks_.place(), compute_.threads);
  RETURN_IF_ERROR(sum(report.loss, report.tokens, squares));
  report.gradient_norm = std::sqrt(squares);
  RETURN_IF_ERROR(take_step(report));
  return report;
}

absl::Status Trainer::take_step(StepReport& report) {
  if (!std::isfinite(report.loss.sum) || !std::isfinite(report.gradient_norm)) {
    return base::failed_precondition(
        fmt::format("[train] the loss of step {} is no number any more (loss {}, norm of the "
                    "gradient {}): a lower learning rate may help",
                    report.step, report.loss.mean(), report.gradient_norm));
  }
  decoder_.unpack();
  report.skipped = spike_guard_.skips(report.loss.mean(), report.gradient_norm);
  if (report.skipped) {
    optimizer_.set_steps(optimizer_.steps() + 1);
    return absl::OkStatus();
  }
  const bool clips = options_.clip_norm > 0 && report.gradient_norm > options_.clip_norm;
  const double factor = clips ? options_.clip_norm / report.gradient_norm : 1;
  optimizer_.step(report.learning_rate, factor, compute_.threads);
  for (auto& moments : optimizer_.moments())
    RETURN_IF_ERROR(ranks_.all_gather(moments.parameter->value));
  return muon_ ? muon_->step(report.learning_rate, factor, compute_, ranks_) : absl::OkStatus();
}

absl::StatusOr<Loss> Trainer::evaluate(const Dataset& data) { return evaluate(objective_of(data)); }

absl::StatusOr<Loss> Trainer::evaluate(Objective& objective) {
  std::vector<std::size_t> all(static_cast<std::size_t>(objective.records()));
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::int64_t tokens = 0;
  tape_.set_recording(false);
  auto loss = passes(objective, all, 0, tokens, [] {});
  tape_.set_recording(true);
  double nothing = 0;
  RETURN_IF_ERROR(sum(loss, tokens, nothing));
  return loss;
}

}  // namespace plinth::train
