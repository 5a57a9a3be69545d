// The scheduler, the prefix cache and the block pool against a naive model of them, over random
// operations. PLINTH_SEED=N runs the one seed N.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "engine/limits.h"
#include "engine/sched/scheduler.h"

namespace plinth::engine {
namespace {

using Tokens = std::vector<std::int32_t>;

// What a page's slot holds once a token is computed into it: which history it stands for. The
// naive side has no pages: it recomputes the history of every sequence from its tokens.
using Slot = std::uint64_t;
constexpr Slot kCleared = 0;

// Where prompts are computed apart, a token that was given is another than one that was made.
std::vector<Slot> histories(const Sequence& sequence, bool prompts_apart) {
  std::vector<Slot> slots;
  const auto given = prompts_apart ? static_cast<std::size_t>(sequence.prompt_tokens) : 0;
  Slot history = std::hash<std::string>()(sequence.scope.salt) | 1;
  for (const auto token : sequence.tokens) {
    const Slot what = static_cast<Slot>(token + 1) << (slots.size() < given ? 8 : 0);
    history = (history ^ what) * 0x9E3779B97F4A7C15ull | 1;
    slots.push_back(history);
  }
  return slots;
}

struct Job {
  Sequence sequence;
  std::size_t length = 0;  // tokens at which it ends
  bool follower = false;
  std::uint64_t started_at = 0;
  std::int32_t pinned = 0;  // tokens
  std::int64_t breaks = 0;  // of pins, when its own was redeemed
};

// Of a prompt that was not added yet.
struct Held {
  Pin pin;
  std::string salt;
  Tokens prompt;
  base::TimePoint until;
};

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    blocks_ = pick(3, 40);
    options_.step_tokens_max = pick(1, 60);
    options_.sequences_max = pick(1, 12);
    options_.cache = {pick(0, 3) > 0, seed};
    options_.prompts_apart = seed % 2 == 0;
    tenants_ = seed % 3 == 0 ? 1 : 4;
    scheduler_ = std::make_unique<Scheduler>(blocks_, options_);
    memory_.assign(static_cast<std::size_t>(blocks_) * kBlockTokens, kCleared);
  }

  void run(int operations) {
    for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) {
      const int what = pick(0, 9);
      if (what < 2 && jobs_.size() < 40) add(any_prompt());
      if (what == 3) hold();
      if (what == 4 && !held_.empty()) let_go(jobs_.size() < 40);
      now_ += std::chrono::milliseconds(pick(0, 40));
      if (what == 2 && !jobs_.empty()) drop(pick(0, static_cast<int>(jobs_.size()) - 1));
      step();
      check();
    }
    for (int steps = 0; !jobs_.empty() && !::testing::Test::HasFailure(); ++steps) {
      ASSERT_LT(steps, 200'000) << "a sequence does not end";
      step();
      check();
    }
    for (const auto& one : held_) scheduler_->unpin(one.pin.id);
    EXPECT_EQ(scheduler_->cache().pinned(), 0) << "a pin leaked";
    EXPECT_EQ(scheduler_->cache().available(), blocks_) << "a page leaked";
    EXPECT_EQ(scheduler_->running() + scheduler_->waiting(), 0);
  }
  int kept_drafts() const { return kept_drafts_; }
  int kept_pins() const { return kept_pins_; }
  std::int64_t broken_pins() const { return scheduler_->cache().pins_broken(); }

 private:
  int pick(int least, int most) {
    return least + static_cast<int>(random_() % static_cast<std::uint64_t>(most - least + 1));
  }

  // Prompts of few stems, so that prefixes meet.
  Held any_prompt() {
    const int prompt = pick(1, std::min(blocks_ * kBlockTokens, 120)), stem = pick(0, 2);
    const int fork = pick(0, prompt);
    Held made;
    made.salt = std::to_string(pick(0, 2));
    for (int i = 0; i < prompt; ++i)
      made.prompt.push_back(i < fork ? stem * 7 + i % 5 : pick(0, 2));
    return made;
  }

  void hold() {
    auto& one = held_.emplace_back(any_prompt());
    one.pin = scheduler_->pin(one.salt, "", one.prompt, now_);
    one.until = now_ + kPinLease;
    const auto tokens = one.pin.pages * kBlockTokens;
    EXPECT_LT(tokens, static_cast<int>(one.prompt.size()));
    EXPECT_TRUE(tokens == 0 || computed_[one.salt].contains(
                                   Tokens(one.prompt.begin(), one.prompt.begin() + tokens)))
        << "it pinned what nobody computed";
  }

  // A held prompt is cancelled, or joins the others.
  void let_go(bool may_join) {
    const auto at = held_.begin() + pick(0, static_cast<int>(held_.size()) - 1);
    const Held one = *at;
    held_.erase(at);
    if (!may_join || pick(0, 3) == 0) return scheduler_->unpin(one.pin.id);
    const bool kept = scheduler_->redeem(one.pin.id, now_);
    EXPECT_TRUE(!kept || now_ < one.until) << "a lease without an end";
    add(one, kept);
  }

  void add(const Held& asked, bool pinned = false) {
    const int longest = blocks_ * kBlockTokens;
    const int prompt = static_cast<int>(asked.prompt.size());
    const auto& tokens = asked.prompt;
    Sequence* leader = nullptr;
    const int tenant = pick(1, tenants_), weight = pick(1, 3);
    for (int choice = 0, n = pick(0, 4) == 0 ? pick(2, 4) : 1; choice < n; ++choice) {
      auto& job = *jobs_.emplace_back(std::make_unique<Job>());
      job.sequence.scope.salt = asked.salt;
      // The last one asks for batch.
      job.sequence.owner = {
          std::to_string(tenant), weight,
          tenant == 4 ? protocol::ServiceClass::batch : protocol::ServiceClass::standard};
      job.sequence.tokens = tokens;
      job.sequence.prompt_tokens = prompt;
      if (pinned && leader == nullptr) {
        job.sequence.pin = asked.pin.id;
        job.pinned = asked.pin.pages * kBlockTokens;
        job.breaks = broken_pins();
      } else if (pick(0, 5) == 0) {
        job.sequence.cache_reads_max = pick(0, 40);
      }
      if (pick(0, 5) == 0) job.sequence.chunk_tokens_max = pick(1, 20);
      job.length = static_cast<std::size_t>(pick(prompt, std::min(longest, prompt + 60)));
      job.follower = leader != nullptr;
      scheduler_->add(job.sequence, leader);
      if (leader == nullptr) leader = &job.sequence;
    }
  }

  void drop(int index) {
    scheduler_->remove(jobs_[static_cast<std::size_t>(index)]->sequence);
    jobs_.erase(jobs_.begin() + index);
  }

  Job& job_of(const Sequence* sequence) {
    const auto found = std::find_if(jobs_.begin(), jobs_.end(),
                                    [&](const auto& job) { return &job->sequence == sequence; });
    EXPECT_NE(found, jobs_.end()) << "a chunk of a sequence that was removed";
    return **found;
  }

  Slot& slot(const Sequence& sequence, std::int32_t position) {
    const auto block = sequence.blocks.at(static_cast<std::size_t>(position / kBlockTokens));
    return memory_[static_cast<std::size_t>(block.value() * kBlockTokens +
                                            position % kBlockTokens)];
  }

  void step() {
    const auto running_before = running();
    auto chunks = scheduler_->plan();
    std::map<const Sequence*, Tokens> drafts;
    for (auto& chunk : chunks) {
      if (chunk.tokens == chunk.sequence->missing() && pick(0, 2) == 0)
        drafts[chunk.sequence] = add_drafts(chunk);
    }
    for (const auto block : scheduler_->take_freed()) {
      std::fill_n(memory_.begin() + block.value() * kBlockTokens, kBlockTokens, kCleared);
    }
    check_plan(chunks, running_before);
    for (const auto& chunk : chunks) {
      const auto expected = histories(*chunk.sequence, options_.prompts_apart);
      for (auto at = chunk.sequence->computed; at < chunk.sequence->computed + chunk.tokens; ++at) {
        slot(*chunk.sequence, at) = expected[static_cast<std::size_t>(at)];
      }
      compute_drafts(*chunk.sequence, drafts[chunk.sequence]);
    }
    for (const auto& chunk : chunks) {
      Sequence& sequence = *chunk.sequence;
      scheduler_->commit(chunk);
      remember(sequence);
      if (sequence.missing() == 0) go_on(job_of(&sequence), drafts[&sequence]);
    }
  }

  std::int32_t next_token(const Sequence& sequence) const {
    return static_cast<std::int32_t>(histories(sequence, options_.prompts_apart).back() % 3);
  }

  // Guesses that are right for a while.
  Tokens add_drafts(ScheduledChunk& chunk) {
    const auto running = scheduler_->running(), waiting = scheduler_->waiting();
    const auto wanted = pick(0, 20);
    scheduler_->add_drafts(chunk, wanted);
    EXPECT_LE(chunk.drafts, wanted);
    EXPECT_EQ(scheduler_->running(), running) << "a draft took pages of a sequence";
    EXPECT_EQ(scheduler_->waiting(), waiting);
    Sequence guessed = *chunk.sequence;
    Tokens drafts;
    while (static_cast<int>(drafts.size()) < chunk.drafts) {
      drafts.push_back(pick(0, 5) == 0 ? 3 : next_token(guessed));
      guessed.tokens.push_back(drafts.back());
    }
    return drafts;
  }

  void compute_drafts(const Sequence& sequence, const Tokens& drafts) {
    Sequence guessed = sequence;
    guessed.tokens.insert(guessed.tokens.end(), drafts.begin(), drafts.end());
    const auto contents = histories(guessed, options_.prompts_apart);
    for (auto at = sequence.tokens.size(); at < contents.size(); ++at) {
      slot(sequence, static_cast<std::int32_t>(at)) = contents[at];
    }
  }

  // The sequence gets its next token, and one more for each draft that was right.
  void go_on(Job& job, const Tokens& drafts) {
    Sequence& sequence = job.sequence;
    for (std::size_t place = 0;; ++place) {
      if (sequence.tokens.size() >= job.length) {
        const auto found = std::find_if(jobs_.begin(), jobs_.end(),
                                        [&](const auto& each) { return each.get() == &job; });
        return drop(static_cast<int>(found - jobs_.begin()));
      }
      sequence.tokens.push_back(next_token(sequence));
      if (place >= drafts.size() || drafts[place] != sequence.tokens.back()) break;
      scheduler_->keep_draft(sequence);
      remember(sequence);
      ++kept_drafts_;
    }
    scheduler_->drop_drafts(sequence);
  }

  std::set<const Sequence*> running() const {
    std::set<const Sequence*> set;
    for (const auto& job : jobs_) {
      if (job->sequence.computed > 0 && job->sequence.started && !job->sequence.blocks.empty())
        set.insert(&job->sequence);
    }
    return set;
  }

  void check_plan(const std::vector<ScheduledChunk>& chunks,
                  const std::set<const Sequence*>& running_before) {
    int tokens = 0;
    for (const auto& chunk : chunks) {
      const Sequence& sequence = *chunk.sequence;
      tokens += chunk.tokens + chunk.drafts;
      EXPECT_GT(chunk.tokens, 0);
      EXPECT_LE(chunk.tokens, std::min(sequence.missing(), sequence.chunk_tokens_max));
      EXPECT_GE(static_cast<int>(sequence.blocks.size()) * kBlockTokens,
                sequence.computed + chunk.tokens + chunk.drafts);
      const auto end = sequence.computed + chunk.tokens;
      EXPECT_EQ(chunk.prompt, end <= sequence.prompt_tokens);
      EXPECT_TRUE(chunk.prompt || !options_.prompts_apart ||
                  sequence.computed >= sequence.prompt_tokens)
          << "a chunk of both kinds of tokens";
      if (chunk.first) check_start(job_of(chunk.sequence));
    }
    EXPECT_LE(tokens, options_.step_tokens_max);
    EXPECT_LE(scheduler_->running(), std::min(options_.sequences_max, options_.step_tokens_max));
    EXPECT_EQ(chunks.empty(), jobs_.empty());
    if (tenants_ > 1) return;
    // The oldest that ran before moves, or one that is older still.
    const Sequence* oldest = nullptr;
    for (const auto* sequence : running_before) {
      if (oldest == nullptr || sequence->arrival < oldest->arrival) oldest = sequence;
    }
    EXPECT_TRUE(oldest == nullptr || std::any_of(chunks.begin(), chunks.end(), [&](const auto& c) {
                  return c.sequence->arrival <= oldest->arrival;
                }));
  }

  void check_start(Job& job) {
    const Sequence& sequence = job.sequence;
    if (job.follower) return;
    if (job.pinned > 0 && job.breaks == broken_pins()) {
      EXPECT_GE(sequence.cached, job.pinned) << "a page of a pin was evicted";
      ++kept_pins_;
    }
    EXPECT_EQ(sequence.pin, 0u);
    auto& last_start = last_start_[sequence.owner.tenant];
    EXPECT_GT(sequence.arrival, last_start) << "passed over";
    last_start = sequence.arrival;
    // The naive cache: every prefix of full pages that was ever computed.
    const auto most = std::min(sequence.prompt_tokens - 1, sequence.cache_reads_max);
    std::int32_t known = 0;
    if (options_.cache.keep_pages) {
      const auto& prefixes = computed_[sequence.scope.salt];
      while (known + kBlockTokens <= most &&
             prefixes.contains(
                 Tokens(sequence.tokens.begin(), sequence.tokens.begin() + known + kBlockTokens)))
        known += kBlockTokens;
    }
    if (scheduler_->cache().evictions() == 0)
      EXPECT_EQ(sequence.cached, known);
    else
      EXPECT_LE(sequence.cached, known);
  }

  void remember(const Sequence& sequence) {
    const auto kept = options_.prompts_apart ? std::min(sequence.computed, sequence.prompt_tokens)
                                             : sequence.computed;
    for (std::int32_t pages = 1; pages * kBlockTokens <= kept; ++pages) {
      computed_[sequence.scope.salt].insert(
          Tokens(sequence.tokens.begin(), sequence.tokens.begin() + pages * kBlockTokens));
    }
  }

  void check() {
    const auto& cache = scheduler_->cache();
    std::map<std::int32_t, int> holders;
    for (const auto& job : jobs_) {
      const Sequence& sequence = job->sequence;
      const auto expected = histories(sequence, options_.prompts_apart);
      for (std::int32_t at = 0; at < sequence.computed; ++at) {
        ASSERT_EQ(slot(sequence, at), expected[static_cast<std::size_t>(at)])
            << "position " << at << " of sequence " << sequence.arrival << " is not its own";
      }
      EXPECT_LE(sequence.blocks.size(), (sequence.tokens.size() + 15) / 16) << "a draft's page";
      std::set<std::int32_t> own;
      for (const auto block : sequence.blocks) {
        ++holders[block.value()];
        EXPECT_TRUE(own.insert(block.value()).second) << "one page twice in a sequence";
      }
    }
    EXPECT_LE(cache.pinned(), cache.pinned_max());
    int free = 0, idle = 0;
    for (std::int32_t block = 0; block < blocks_; ++block) {
      const int references = cache.pool().references(BlockId(block));
      const int cached = references - holders[block];
      EXPECT_TRUE(cached == 0 || (cached == 1 && options_.cache.keep_pages))
          << "page " << block << " has " << references << " references, " << holders[block]
          << " holders";
      free += references == 0 ? 1 : 0;
      idle += cached == 1 && holders[block] == 0 ? 1 : 0;
    }
    EXPECT_EQ(cache.free(), free);
    EXPECT_EQ(cache.idle(), idle);
  }

  std::mt19937_64 random_;
  std::int32_t blocks_ = 0;
  SchedulerOptions options_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::vector<Slot> memory_;                          // [blocks, kBlockTokens]
  std::map<std::string, std::set<Tokens>> computed_;  // by salt
  int tenants_ = 1;
  std::map<std::string, std::uint64_t> last_start_;  // by tenant
  int kept_drafts_ = 0, kept_pins_ = 0;
  std::vector<Held> held_;
  base::TimePoint now_{};
};

TEST(SchedulerModel, AgreesWithANaiveModelOverRandomOperations) {
  const char* one = std::getenv("PLINTH_SEED");
  const std::uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const std::uint64_t last = one != nullptr ? first : 60;
  int kept_drafts = 0, kept_pins = 0;
  std::int64_t broken_pins = 0;
  for (auto seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("PLINTH_SEED=" + std::to_string(seed));
    Model model(seed);
    model.run(250);
    kept_drafts += model.kept_drafts();
    kept_pins += model.kept_pins();
    broken_pins += model.broken_pins();
    if (HasFailure()) return;
  }
  EXPECT_GT(kept_drafts, 0);
  EXPECT_GT(kept_pins, 50);
  EXPECT_GT(broken_pins, 0);
}

}  // namespace
}  // namespace plinth::engine
