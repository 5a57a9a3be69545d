#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/units.h"

namespace plinth::train {

namespace {

// Numbers that one thread takes at a time, which all fit its caches.
constexpr std::int64_t kPart = std::int64_t{1} << 14;

// body(part, begin, end) over the stretch.
template <typename Body>
void for_parts(const Stretch& own, base::ThreadPool& threads, const Body& body) {
  threads.parallel_for(
      base::ceil_div(own.size(), kPart), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto part = begin; part < end; ++part)
          body(part, own.begin + part * kPart, std::min(own.end, own.begin + (part + 1) * kPart));
      });
}

}  // namespace

template <typename T>
AdamW<T>::AdamW(Parameters<T>& parameters, const AdamWOptions& options, const Place& place)
    : options_(options) {
  for (auto& parameter : parameters.all()) {
    if (!parameter.learns()) continue;
    auto& moments = moments_.emplace_back();
    moments.parameter = &parameter;
    moments.own = stretch_of(parameter.size(), place);
    moments.first.resize(static_cast<std::size_t>(moments.own.size()));
    moments.second.resize(static_cast<std::size_t>(moments.own.size()));
  }
}

template <typename T>
void AdamW<T>::step(double learning_rate, double gradient_factor, base::ThreadPool& threads) {
  ++steps_;
  const auto beta1 = static_cast<T>(options_.beta1), beta2 = static_cast<T>(options_.beta2);
  const auto step = static_cast<double>(steps_);
  const double correction1 = 1 - std::pow(options_.beta1, step);
  const double correction2 = 1 - std::pow(options_.beta2, step);
  const auto rate = static_cast<T>(learning_rate / correction1);
  const auto root = static_cast<T>(1 / std::sqrt(correction2));
  const auto epsilon = static_cast<T>(options_.epsilon);
  const auto factor = static_cast<T>(gradient_factor);
  for (auto& moments : moments_) {
    auto& parameter = *moments.parameter;
    const double decay = parameter.decays ? options_.weight_decay : 0;
    const auto keep = static_cast<T>(1 - learning_rate * decay);
    T* value = parameter.value.data();
    const T* grad = parameter.grad.data();
    T *first = moments.first.data(), *second = moments.second.data();
    const auto offset = moments.own.begin;
    for_parts(moments.own, threads, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i) {
        const T g = grad[i] * factor;
        const auto m = i - offset;
        first[m] = beta1 * first[m] + (1 - beta1) * g;
        second[m] = beta2 * second[m] + (1 - beta2) * g * g;
        value[i] = value[i] * keep - rate * first[m] / (std::sqrt(second[m]) * root + epsilon);
      }
    });
  }
}

template <typename T>
double gradient_squares(const Parameters<T>& parameters, const Place& place,
                        base::ThreadPool& threads) {
  double sum = 0;
  for (const auto& parameter : parameters.all()) {
    if (!parameter.learns()) continue;
    const auto own = stretch_of(parameter.size(), place);
    std::vector<double> parts(static_cast<std::size_t>(base::ceil_div(own.size(), kPart)));
    for_parts(own, threads, [&](std::int64_t part, std::int64_t begin, std::int64_t end) {
      double squares = 0;
      for (auto i = begin; i < end; ++i) {
        const auto g = static_cast<double>(parameter.grad[static_cast<std::size_t>(i)]);
        squares += g * g;
      }
      parts[static_cast<std::size_t>(part)] = squares;
    });
    for (const double part : parts) sum += part;
  }
  return sum;
}

template class AdamW<float>;
template class AdamW<double>;
template double gradient_squares(const Parameters<float>&, const Place&, base::ThreadPool&);
template double gradient_squares(const Parameters<double>&, const Place&, base::ThreadPool&);

}  // namespace plinth::train
