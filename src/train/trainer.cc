#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/random.h"
#include "base/units.h"
#include "train/packing.h"

namespace plinth::train {

namespace {

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

}  // namespace

Trainer::Trainer(Decoder<float>& decoder, const Dataset& data, const TrainerOptions& options,
                 Compute& compute)
    : decoder_(decoder),
      data_(data),
      options_(options),
      compute_(compute),
      tape_(compute),
      optimizer_(decoder.parameters(), options.adamw),
      steps_per_epoch_(base::ceil_div(data.report().examples, options.batch_size)),
      steps_(steps_per_epoch_ * options.epochs) {}

std::vector<std::size_t> Trainer::batch(std::int64_t step) {
  const auto epoch = step / steps_per_epoch_;
  if (std::exchange(order_epoch_, epoch) != epoch)
    order_ = shuffled(data_.examples().size(), options_.seed, epoch);
  const auto begin = step % steps_per_epoch_ * options_.batch_size;
  const auto end = std::min(begin + options_.batch_size, data_.report().examples);
  return {order_.begin() + begin, order_.begin() + end};
}

Recompute Trainer::recompute_for(std::int64_t tokens) const {
  if (options_.recompute) return *options_.recompute;
  const auto bytes =
      kept_numbers(decoder_.spec()) * tokens * static_cast<std::int64_t>(sizeof(float));
  return bytes <= options_.kept_bytes_max ? Recompute::none : Recompute::full;
}

Loss Trainer::passes(const std::vector<Example>& examples, const std::vector<std::size_t>& chosen,
                     double factor, std::int64_t& tokens) {
  std::vector<std::int64_t> lengths;
  for (const auto index : chosen)
    lengths.push_back(static_cast<std::int64_t>(examples[index].ids.size()) - 1);
  Loss loss;
  for (const auto& places : pack(lengths, options_.pass_tokens)) {
    std::vector<std::size_t> together;
    for (const auto place : places) together.push_back(chosen[place]);
    const auto batch = batch_of(examples, together);
    auto& hidden = decoder_.hidden(tape_, batch, recompute_for(batch.tokens()));
    loss += cross_entropy(tape_, hidden, decoder_.head(), batch, decoder_.head_shape(), factor);
    tape_.recording() ? tape_.backward() : tape_.clear();
    tokens += batch.tokens();
  }
  return loss;
}

absl::StatusOr<StepReport> Trainer::step() {
  const auto number = done();
  if (number >= steps_) return base::failed_precondition("[train] the run is over");
  StepReport report;
  report.step = number + 1;
  report.epoch = number / steps_per_epoch_;
  report.learning_rate = learning_rate(options_.schedule, number, steps_);
  const auto chosen = batch(number);
  // By the targets of the whole batch, however it is cut into passes.
  std::int64_t targets = 0;
  for (const auto index : chosen) targets += data_.examples()[index].targets();
  decoder_.parameters().clear_gradients();
  decoder_.pack(compute_);
  report.loss = passes(data_.examples(), chosen, 1 / static_cast<double>(targets), report.tokens);
  report.gradient_norm = gradient_norm(decoder_.parameters(), compute_.threads);
  if (!std::isfinite(report.loss.sum) || !std::isfinite(report.gradient_norm)) {
    return base::failed_precondition(
        fmt::format("[train] the loss of step {} is no number any more (loss {}, norm of the "
                    "gradient {}): a lower learning rate may help",
                    report.step, report.loss.mean(), report.gradient_norm));
  }
  decoder_.unpack();
  const bool clips = options_.clip_norm > 0 && report.gradient_norm > options_.clip_norm;
  optimizer_.step(report.learning_rate, clips ? options_.clip_norm / report.gradient_norm : 1,
                  compute_.threads);
  return report;
}

Loss Trainer::evaluate(const Dataset& data) {
  std::vector<std::size_t> all(data.examples().size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::int64_t tokens = 0;
  tape_.set_recording(false);
  const auto loss = passes(data.examples(), all, 0, tokens);
  tape_.set_recording(true);
  return loss;
}

}  // namespace plinth::train
