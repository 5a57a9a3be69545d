#include "engine/run/adapted_rows.h"

#include <algorithm>

namespace plinth::engine {

AdapterId AdapterSet::add(std::shared_ptr<const PackedAdapter> adapter) {
  const std::lock_guard lock(mutex_);
  const AdapterId id(next_++);
  adapters_[id] = std::move(adapter);
  return id;
}

void AdapterSet::remove(AdapterId id) {
  std::shared_ptr<const PackedAdapter> last;  // freed without the lock
  const std::lock_guard lock(mutex_);
  const auto found = adapters_.find(id);
  if (found == adapters_.end()) return;
  last = std::move(found->second);
  adapters_.erase(found);
}

std::shared_ptr<const PackedAdapter> AdapterSet::find(AdapterId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = adapters_.find(id);
  return found == adapters_.end() ? nullptr : found->second;
}

absl::Status AdaptedRows::begin(const Step& step, const AdapterSet& adapters) {
  used_ = 0;
  const BatchEntry* last = nullptr;
  Group* group = nullptr;
  for (int t = 0; t < step.size(); ++t) {
    const auto* entry = step.tokens[static_cast<std::size_t>(t)].entry;
    if (entry->adapter == kNoAdapter) continue;
    if (entry != last) {
      last = entry;
      const auto end = groups_.begin() + static_cast<std::ptrdiff_t>(used_);
      const auto found = std::find_if(
          groups_.begin(), end, [&](const auto& other) { return other.id == entry->adapter; });
      if (found == end) {
        if (used_ == groups_.size()) groups_.emplace_back();
        group = &groups_[used_++];
        group->id = entry->adapter;
        group->rows.clear();
        group->adapter = adapters.find(entry->adapter);
        if (group->adapter == nullptr) {
          return base::failed_precondition("the request's adapter is not loaded");
        }
      } else {
        group = &*found;
      }
    }
    group->rows.push_back(t);
  }
  return absl::OkStatus();
}

void AdaptedRows::end() {
  for (std::size_t i = 0; i < used_; ++i) groups_[i].adapter = nullptr;
  used_ = 0;
}

const tensor::PackedLowRank* AdaptedRows::weights(const Group& group, int layer,
                                                  AdaptedInput input) const {
  const auto& place =
      group.adapter->layers[static_cast<std::size_t>(layer)][static_cast<std::size_t>(input)];
  return place ? &*place : nullptr;
}

bool AdaptedRows::any(int layer, AdaptedInput input) const {
  return std::any_of(groups_.begin(), groups_.begin() + static_cast<std::ptrdiff_t>(used_),
                     [&](const auto& group) { return weights(group, layer, input) != nullptr; });
}

void AdaptedRows::add(int layer, AdaptedInput input, const float* x, std::int64_t ldx, float* y,
                      std::int64_t ldy, base::ThreadPool& pool) {
  product_rows_.clear();
  for (std::size_t i = 0; i < used_; ++i) {
    const auto* packed = weights(groups_[i], layer, input);
    if (packed != nullptr) product_rows_.push_back({packed, groups_[i].rows});
  }
  if (!product_rows_.empty()) product_.add(product_rows_, x, ldx, y, ldy, pool);
}

}  // namespace plinth::engine
