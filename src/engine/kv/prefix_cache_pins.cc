// The pins of a PrefixCache.
#include "engine/kv/prefix_cache.h"
#include "engine/limits.h"

namespace plinth::engine {

std::int32_t PrefixCache::pinned_max() const { return pool_.total() / kPinnedShare; }

std::int32_t PrefixCache::pinned() const {
  const std::lock_guard lock(mutex_);
  return pinned_;
}

std::int64_t PrefixCache::pins_broken() const {
  const std::lock_guard lock(mutex_);
  return pins_broken_;
}

void PrefixCache::count_pin(Node& node, std::int32_t leased, std::int32_t redeemed) {
  const bool in_leaves = node.children == 0 && pool_.references(node.block) == 1;
  if (in_leaves) leaves_.erase(&node);
  pinned_ -= node.rank() > 0 ? 1 : 0;
  node.leased += leased;
  node.redeemed += redeemed;
  CHECK(node.leased >= 0 && node.redeemed >= 0);
  pinned_ += node.rank() > 0 ? 1 : 0;
  if (in_leaves) leaves_.insert(&node);
}

void PrefixCache::count_pin_to(Node* last, std::int32_t leased, std::int32_t redeemed) {
  for (; last->parent != nullptr; last = last->parent) count_pin(*last, leased, redeemed);
}

void PrefixCache::expire_pins(base::TimePoint now) {
  while (!leased_.empty() && leased_.begin()->second.until <= now) {
    count_pin_to(leased_.begin()->second.last, -1, 0);
    leased_.erase(leased_.begin());
  }
}

// The page is a leaf, so a pin that has it ends with it.
void PrefixCache::break_pins(const Node& last) {
  for (auto* pins : {&leased_, &redeemed_}) {
    const bool leased = pins == &leased_;
    pins_broken_ += static_cast<std::int64_t>(std::erase_if(*pins, [&](const auto& entry) {
      if (entry.second.last != &last) return false;
      count_pin_to(entry.second.last, leased ? -1 : 0, leased ? 0 : -1);
      return true;
    }));
  }
}

Pin PrefixCache::pin(const CacheScope& scope, std::span<const std::int32_t> tokens,
                     std::int32_t tokens_max, base::TimePoint now) {
  const std::lock_guard lock(mutex_);
  expire_pins(now);
  const auto found = roots_.find(scope);
  if (found == roots_.end()) return {};
  Node* last = found->second.get();
  Pin pin;
  auto room = pinned_max() - pinned_;
  const auto usable = std::min(tokens.size(), static_cast<std::size_t>(std::max(tokens_max, 0)));
  for (std::size_t at = 0; at + kBlockTokens <= usable; at += kBlockTokens) {
    Node* next = child(last, tokens.subspan(at, kBlockTokens));
    if (next == nullptr || (next->rank() == 0 && room-- <= 0)) break;
    last = next;
    ++pin.pages;
  }
  if (pin.pages == 0) return {};
  count_pin_to(last, 1, 0);
  pin.id = ++last_pin_;
  leased_.emplace(pin.id, PinState{last, now + kPinLease});
  return pin;
}

bool PrefixCache::redeem(std::uint64_t pin, base::TimePoint now) {
  const std::lock_guard lock(mutex_);
  expire_pins(now);
  auto lease = leased_.extract(pin);
  if (lease.empty()) return redeemed_.contains(pin);
  count_pin_to(lease.mapped().last, -1, 1);
  redeemed_.insert(std::move(lease));
  return true;
}

void PrefixCache::unpin(std::uint64_t pin) {
  if (pin == 0) return;
  const std::lock_guard lock(mutex_);
  for (auto* pins : {&leased_, &redeemed_}) {
    const auto found = pins->extract(pin);
    if (found.empty()) continue;
    count_pin_to(found.mapped().last, pins == &leased_ ? -1 : 0, pins == &leased_ ? 0 : -1);
  }
}

}  // namespace plinth::engine
