#include "train/optimizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "train/parts.h"

namespace plinth::train {

namespace {

// Numbers whose moments are made plain at a time. It divides kPartNumbers and begins where a
// stretch may.
constexpr std::int64_t kBlock = 1024;

// Steele et al., "Fast splittable pseudorandom number generators", 2014.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

template <typename T>
void MomentArray<T>::load(std::int64_t begin, std::int64_t end, T* out) const {
  if (short_.empty()) {
    std::copy(plain_.begin() + begin, plain_.begin() + end, out);
    return;
  }
  for (auto i = begin; i < end; ++i) {
    out[i - begin] = static_cast<T>(std::bit_cast<float>(
        static_cast<std::uint32_t>(short_[static_cast<std::size_t>(i)]) << 16));
  }
}

template <typename T>
void MomentArray<T>::store(std::int64_t begin, std::int64_t end, const T* from,
                           std::uint64_t chance) {
  if (short_.empty()) {
    std::copy(from, from + (end - begin), plain_.begin() + begin);
    return;
  }
  for (auto i = begin; i < end; ++i) {
    const auto at = static_cast<std::uint64_t>(i - begin);
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(from[i - begin]));
    const auto drawn = static_cast<std::uint32_t>(mixed(chance + at) & 0xffff);
    short_[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>((bits + drawn) >> 16);
  }
}

template <typename T>
AdamW<T>::AdamW(Parameters<T>& parameters, const AdamWOptions& options, const Place& place,
                const std::function<bool(const Parameter<T>&)>& leaves_out)
    : options_(options) {
  for (auto& parameter : parameters.all()) {
    if (!parameter.learns() || (leaves_out && leaves_out(parameter))) continue;
    auto& moments = moments_.emplace_back();
    moments.parameter = &parameter;
    moments.own = stretch_of(parameter.size(), place);
    moments.first.resize(moments.own.size(), options.short_moments);
    moments.second.resize(moments.own.size(), options.short_moments);
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
  std::uint64_t numbered = 0;  // of the parameters so far
  for (auto& moments : moments_) {
    auto& parameter = *moments.parameter;
    const double decay = parameter.decays ? options_.weight_decay : 0;
    const auto keep = static_cast<T>(1 - learning_rate * decay);
    T* value = parameter.value.data();
    const T* grad = parameter.grad.data();
    // Numbers [begin, end) of the parameter, whose moments begin at `first` and `second`.
    const auto descend = [=](std::int64_t begin, std::int64_t end, T* first, T* second) {
      for (auto i = begin; i < end; ++i) {
        const T g = grad[i] * factor;
        const auto m = i - begin;
        first[m] = beta1 * first[m] + (1 - beta1) * g;
        second[m] = beta2 * second[m] + (1 - beta2) * g * g;
        value[i] = value[i] * keep - rate * first[m] / (std::sqrt(second[m]) * root + epsilon);
      }
    };
    const auto offset = moments.own.begin;
    const auto chance =
        mixed(mixed(options_.seed ^ static_cast<std::uint64_t>(steps_)) + numbered++);
    for_parts(moments.own, threads, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      if (!options_.short_moments) {
        descend(begin, end, moments.first.plain() + (begin - offset),
                moments.second.plain() + (begin - offset));
        return;
      }
      std::array<T, kBlock> first, second;
      for (auto at = begin; at < end; at += kBlock) {
        const auto until = std::min(end, at + kBlock);
        const auto from = at - offset, to = until - offset;
        moments.first.load(from, to, first.data());
        moments.second.load(from, to, second.data());
        descend(at, until, first.data(), second.data());
        // By the number's place in the whole parameter: the same for any number of ranks.
        const auto place = static_cast<std::uint64_t>(at);
        moments.first.store(from, to, first.data(), chance + place);
        moments.second.store(from, to, second.data(), mixed(chance) + place);
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
    std::vector<double> parts(static_cast<std::size_t>(parts_of(own)));
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

template class MomentArray<float>;
template class MomentArray<double>;
template class AdamW<float>;
template class AdamW<double>;
template double gradient_squares(const Parameters<float>&, const Place&, base::ThreadPool&);
template double gradient_squares(const Parameters<double>&, const Place&, base::ThreadPool&);

}  // namespace plinth::train
