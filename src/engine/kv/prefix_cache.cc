#include "engine/kv/prefix_cache.h"

#include <algorithm>

#include "engine/limits.h"

namespace plinth::engine {

std::size_t PrefixCache::KeyHash::operator()(const Key& key) const {
  // splitmix64's finaliser over each word, chained.
  std::uint64_t hash = seed;
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) + 0x9E3779B97F4A7C15ull;
    hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9ull;
    hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBull;
    hash ^= hash >> 31;
  };
  mix(reinterpret_cast<std::uintptr_t>(key.parent));
  for (const auto token : key.tokens) mix(static_cast<std::uint64_t>(token));
  return static_cast<std::size_t>(hash);
}

double PrefixCache::worth(const Node& node) const {
  return node.found * (1 + options_.position_cost * node.index * kBlockTokens);
}

PrefixCache::Node* PrefixCache::child(const Node* parent,
                                      std::span<const std::int32_t> page) const {
  Key key{parent, {}};
  std::copy(page.begin(), page.end(), key.tokens.begin());
  const auto found = nodes_.find(key);
  return found == nodes_.end() ? nullptr : found->second.get();
}

PrefixCache::Node* PrefixCache::root(const CacheScope& scope) {
  const auto [place, fresh] = roots_.try_emplace(scope);
  if (fresh) {
    place->second = std::make_unique<Node>();
    place->second->scope = &place->first;
  }
  return place->second.get();
}

void PrefixCache::hold(BlockId block) {
  Node* node = node_of(block);
  if (node != nullptr && pool_.references(block) == 1) {
    --idle_;
    leaves_.erase(node);
  }
  pool_.share(block);
}

void PrefixCache::share(std::span<const BlockId> blocks) {
  const std::lock_guard lock(mutex_);
  for (const BlockId block : blocks) hold(block);
}

void PrefixCache::release_one(BlockId block) {
  const auto left = pool_.release(block);
  Node* node = node_of(block);
  if (left == 0) {
    CHECK(node == nullptr);
    freed_.push_back(block);
  } else if (left == 1 && node != nullptr) {
    node->used = ++ticks_;
    node->worth = last_worth_ + worth(*node);
    ++idle_;
    if (node->children == 0) leaves_.insert(node);
  }
}

void PrefixCache::release(std::span<const BlockId> blocks) {
  if (blocks.empty()) return;
  const std::lock_guard lock(mutex_);
  // The last page first: of one sequence's pages the ends are the oldest.
  for (std::size_t i = blocks.size(); i-- > 0;) release_one(blocks[i]);
}

bool PrefixCache::evict(bool may_break_pins) {
  if (leaves_.empty()) return false;
  Node* node = *leaves_.begin();
  if (node->rank() > 0) {
    if (!may_break_pins) return false;
    break_pins(*node);
  }
  leaves_.erase(node);
  Node* parent = node->parent;
  const BlockId block = node->block;
  last_worth_ = std::max(last_worth_, node->worth);
  CHECK(pool_.references(block) == 1 && node->children == 0 && node->rank() == 0);
  node_of(block) = nullptr;
  nodes_.erase(Key{parent, node->tokens});
  --idle_;
  ++evictions_;
  if (--parent->children == 0) {
    if (parent->parent == nullptr) {
      roots_.erase(roots_.find(*parent->scope));
    } else if (pool_.references(parent->block) == 1) {
      leaves_.insert(parent);
    }
  }
  release_one(block);
  return true;
}

std::optional<BlockId> PrefixCache::take(bool may_break_pins) {
  const std::lock_guard lock(mutex_);
  if (pool_.available() == 0 && !evict(may_break_pins)) return std::nullopt;
  return pool_.take();
}

std::optional<BlockId> PrefixCache::take() { return take(true); }
std::optional<BlockId> PrefixCache::take_unpinned() { return take(false); }

std::vector<BlockId> PrefixCache::match(const CacheScope& scope,
                                        std::span<const std::int32_t> tokens,
                                        std::int32_t tokens_max) {
  std::vector<BlockId> blocks;
  const std::lock_guard lock(mutex_);
  const auto found = roots_.find(scope);
  if (found == roots_.end()) return blocks;
  Node* node = found->second.get();
  const auto usable = std::min(tokens.size(), static_cast<std::size_t>(std::max(tokens_max, 0)));
  for (std::size_t at = 0; at + kBlockTokens <= usable; at += kBlockTokens) {
    node = child(node, tokens.subspan(at, kBlockTokens));
    if (node == nullptr) break;
    hold(node->block);
    blocks.push_back(node->block);
  }
  return blocks;
}

void PrefixCache::count_found(std::span<const BlockId> blocks) {
  const std::lock_guard lock(mutex_);
  for (const BlockId block : blocks) {
    if (Node* node = node_of(block)) node->found = std::min(node->found + 1, kFoundMax);
  }
}

void PrefixCache::insert(Node& parent, std::span<const std::int32_t> page, BlockId block) {
  auto node = std::make_unique<Node>();
  node->parent = &parent;
  std::copy(page.begin(), page.end(), node->tokens.begin());
  node->block = block;
  node->index = parent.parent == nullptr ? 0 : parent.index + 1;
  pool_.share(block);
  ++parent.children;
  node_of(block) = node.get();
  nodes_.emplace(Key{&parent, node->tokens}, std::move(node));
}

void PrefixCache::publish(const CacheScope& scope, std::span<const std::int32_t> tokens,
                          std::span<BlockId> blocks, std::size_t first) {
  CHECK(tokens.size() == blocks.size() * kBlockTokens);
  if (!options_.keep_pages || first >= blocks.size()) return;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = first; i < blocks.size(); ++i) {
    Node* parent = i == 0 ? root(scope) : node_of(blocks[i - 1]);
    CHECK(parent != nullptr);
    const auto page = tokens.subspan(i * kBlockTokens, kBlockTokens);
    Node* twin = child(parent, page);
    if (twin == nullptr) {
      insert(*parent, page, blocks[i]);
    } else if (twin->block != blocks[i]) {
      hold(twin->block);
      release_one(std::exchange(blocks[i], twin->block));
    }
  }
}

}  // namespace plinth::engine
