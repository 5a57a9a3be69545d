// Full KV pages that outlive their sequence, found again by the tokens that made them. The idea of
// a page table keyed by content is from Kwon et al., "PagedAttention", SOSP 2023; of a tree over
// prefixes from Zheng et al., "SGLang: RadixAttention", 2024.
//
// A page's keys and values depend on its own tokens and on all before them, so a page is a node of
// a tree: its place below its parent's page, and its 16 tokens. The tree compares parents and
// tokens themselves; hashes only find the bucket, so that no collision can give a wrong page.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/kv/block_pool.h"

namespace plinth::engine {

// Sequences share pages within one scope alone (promise 4). The model and its numerics are not
// named: a cache belongs to one runner, whose fingerprint never changes.
struct CacheScope {
  std::string salt;        // the tenant's
  std::string adapter;     // "" = the base model
  bool long_rope = false;  // keys of a longer sequence turn at other frequencies
  // clang-tidy 14 takes the 0 of the comparison for a pointer.
  auto operator<=>(const CacheScope&) const = default;  // NOLINT(modernize-use-nullptr)
};

struct PrefixCacheOptions {
  bool keep_pages = true;  // false: a page is freed with its last sequence, nothing is ever found
  // Part of every hash, so that a client cannot choose tokens that share a bucket.
  std::uint64_t hash_seed = 0;
  // RunnerInfo's: how much dearer a page is to compute again the further back it begins.
  double position_cost = 0;
};

// What pin() keeps.
struct Pin {
  std::uint64_t id = 0;  // 0: nothing
  std::int32_t pages = 0;
};

// Owns all pages, cached or not. One owner thread; pin(), redeem(), unpin() and pinned() from any:
// they change which page is evicted next, and neither who holds one nor how many take() can give.
//
// Only full pages are shared, and a sequence never writes into a full page, so that no page needs
// copying. Whoever holds a page holds all before it; so a page that nobody holds has no held page
// below it, and eviction goes from the leaves up. The page that is worth least goes first. Worth is
// what it costs to compute the page again, times how often it was found, plus the worth of the page
// that had been evicted last when this one's last holder left: so what nobody comes back for ages.
// Cao and Irani, "Cost-aware WWW proxy caching algorithms", USITS 1997 (GreedyDual-Size), with
// frequencies as in Cherkasova, 1998. Where all cost the same and none was found again, the least
// recently used goes first.
//
// A pin keeps a prefix for a prompt that is not in the engine yet. Its pages are evicted last,
// after all that are not pinned: first those of leased pins, then of redeemed ones, and with a page
// every pin that ends there is broken, which redeem() tells. So pins never keep a sequence from a
// page.
class PrefixCache {
 public:
  PrefixCache(std::int32_t blocks, const PrefixCacheOptions& options)
      : options_(options), pool_(blocks), nodes_by_block_(static_cast<std::size_t>(blocks)) {}

  // A page with one holder: a free one, or else the cached page that is worth least.
  std::optional<BlockId> take();
  // The same, but no pinned page.
  std::optional<BlockId> take_unpinned();
  // The pages of the longest cached prefix of `tokens` of at most `tokens_max` tokens; the caller
  // now holds them.
  std::vector<BlockId> match(const CacheScope& scope, std::span<const std::int32_t> tokens,
                             std::int32_t tokens_max);
  // A sequence begins with these matched pages, which makes them worth more.
  void count_found(std::span<const BlockId> blocks);
  // Pages [first, blocks.size()) are full and computed: `tokens` are theirs and those before them,
  // 16 a page. Where the cache already has such a page, the caller's is given up for it in
  // `blocks`. Pages before `first` were published or matched.
  void publish(const CacheScope& scope, std::span<const std::int32_t> tokens,
               std::span<BlockId> blocks, std::size_t first);
  // One more holder for each of the pages, which are held.
  void share(std::span<const BlockId> blocks);
  // The caller holds these no more.
  void release(std::span<const BlockId> blocks);

  // Keeps the longest cached prefix of `tokens` of at most `tokens_max` tokens, as much of it as
  // the bound on pinned pages leaves, for kPinLease from `now` or until it is redeemed.
  Pin pin(const CacheScope& scope, std::span<const std::int32_t> tokens, std::int32_t tokens_max,
          base::TimePoint now);
  // Keeps it until unpin(). False where the lease is over or a page of it was evicted: then there
  // is nothing to unpin.
  bool redeem(std::uint64_t pin, base::TimePoint now);
  // One that is over already is none.
  void unpin(std::uint64_t pin);
  // Pages of leases that were not over when somebody last pinned, and of redeemed pins.
  std::int32_t pinned() const;
  // At most so many; kPinnedShare has the reason.
  std::int32_t pinned_max() const;
  std::int64_t pins_broken() const;

  // Pages that take() can give.
  std::int32_t available() const { return pool_.available() + idle_; }
  std::int32_t free() const { return pool_.available(); }
  std::int32_t total() const { return pool_.total(); }
  // Cached pages that nobody holds.
  std::int32_t idle() const { return idle_; }
  std::int64_t evictions() const { return evictions_; }
  const BlockPool& pool() const { return pool_; }

  // Pages that became free since the last call. They hold what their sequence left: whoever runs
  // the model clears them before the next forward pass (promise 4).
  std::vector<BlockId> take_freed() { return std::exchange(freed_, {}); }

 private:
  using PageTokens = std::array<std::int32_t, kBlockTokens>;
  struct Node;
  struct Key {
    const Node* parent;
    PageTokens tokens;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::uint64_t seed;
    std::size_t operator()(const Key& key) const;
  };
  // A root stands for the empty prefix of a scope and has no page.
  struct Node {
    Node* parent = nullptr;
    PageTokens tokens{};
    BlockId block{-1};
    std::int32_t children = 0;
    std::int32_t index = 0;             // among the pages of its prefix
    std::int32_t found = 1;             // times that a sequence began with it, up to kFoundMax
    double worth = 0;                   // when its last holder left
    std::uint64_t used = 0;             // the same moment: of equals the older one goes
    const CacheScope* scope = nullptr;  // of a root: its key in roots_
    // Whoever pins a page pins all before it.
    std::int32_t leased = 0, redeemed = 0;  // pins
    int rank() const { return redeemed > 0 ? 2 : leased > 0 ? 1 : 0; }
  };
  struct PinState {
    Node* last = nullptr;  // of its pages; the others are those before it
    base::TimePoint until{};
  };
  using PinMap = std::map<std::uint64_t, PinState>;

  // Leaves in the order of eviction.
  struct WorthLess {
    bool operator()(const Node* a, const Node* b) const {
      if (a->rank() != b->rank()) return a->rank() < b->rank();
      return a->worth != b->worth ? a->worth < b->worth : a->used < b->used;
    }
  };
  double worth(const Node& node) const;

  Node* child(const Node* parent, std::span<const std::int32_t> page) const;
  Node* root(const CacheScope& scope);
  void insert(Node& parent, std::span<const std::int32_t> page, BlockId block);
  void hold(BlockId block);
  void release_one(BlockId block);
  std::optional<BlockId> take(bool may_break_pins);
  bool evict(bool may_break_pins);
  void count_pin(Node& node, std::int32_t leased, std::int32_t redeemed);
  void count_pin_to(Node* last, std::int32_t leased, std::int32_t redeemed);
  void expire_pins(base::TimePoint now);
  void break_pins(const Node& last);
  Node*& node_of(BlockId block) { return nodes_by_block_[static_cast<std::size_t>(block.value())]; }

  const PrefixCacheOptions options_;
  mutable std::mutex mutex_;
  // Written by the owner alone, with mutex_ held; so it reads them without.
  BlockPool pool_;
  std::map<CacheScope, std::unique_ptr<Node>> roots_;
  std::unordered_map<Key, std::unique_ptr<Node>, KeyHash> nodes_{16, KeyHash{options_.hash_seed}};
  std::vector<Node*> nodes_by_block_;
  double last_worth_ = 0;  // of the last evicted page
  std::int32_t idle_ = 0;
  std::uint64_t ticks_ = 0;
  std::int64_t evictions_ = 0;
  std::vector<BlockId> freed_;
  // Protected by mutex_, as are the nodes' pins.
  std::set<Node*, WorthLess> leaves_;  // that nobody holds
  PinMap leased_, redeemed_;           // by number, which leases end in the order of
  std::uint64_t last_pin_ = 0;
  std::int32_t pinned_ = 0;  // pages
  std::int64_t pins_broken_ = 0;
};

}  // namespace plinth::engine
