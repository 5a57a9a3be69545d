// The prefix cache as a caller sees it: what is reported as cached, and that nothing else differs.
#include <gtest/gtest.h>

#include <map>

#include "engine/testing/stepped_engine.h"

namespace plinth::engine {
namespace {

EngineOptions pages(std::size_t count, bool prefix_cache = true) {
  EngineOptions options;
  options.kv_bytes = count * 1024;  // the fake runner's pages
  options.prefix_cache = prefix_cache;
  return options;
}

const std::string kPrompt(100, 'p');

TEST(EngineCache, ASecondRequestFindsAllFullPagesAndGivesTheSameText) {
  SteppedEngine engine(pages(100));
  const auto first = engine.run(text_request("a", kPrompt, 20));
  const auto second = engine.run(text_request("a", kPrompt, 20));
  EXPECT_EQ(first.admitted->cached_tokens, 0);
  EXPECT_EQ(first.usage.cached_tokens, 0);
  EXPECT_EQ(second.admitted->cached_tokens, 96);
  EXPECT_EQ(second.usage.cached_tokens, 96);
  EXPECT_EQ(second.usage.prompt_tokens, 100);
  EXPECT_EQ(first.choices, second.choices);
  EXPECT_EQ(engine.core().stats().cached_tokens, 96);
  engine.expect_no_page_held();
}

TEST(EngineCache, OneTokenAtLeastIsComputed) {
  SteppedEngine engine(pages(100));
  const std::string whole_pages(96, 'p');
  const auto first = engine.run(text_request("a", whole_pages, 3));
  const auto second = engine.run(text_request("a", whole_pages, 3));
  EXPECT_EQ(second.usage.cached_tokens, 80) << "the last page's logits are wanted";
  EXPECT_EQ(first.choices, second.choices);
}

// Promise 4.
TEST(EngineCache, AnotherTenantFindsNothing) {
  SteppedEngine engine(pages(100));
  auto request = text_request("a", kPrompt, 5);
  request.cache_salt = "tenant 1";
  engine.run(request);
  request.cache_salt = "tenant 2";
  EXPECT_EQ(engine.run(request).usage.cached_tokens, 0);
  request.cache_salt = "tenant 1";
  EXPECT_EQ(engine.run(request).usage.cached_tokens, 96);
}

TEST(EngineCache, CanBeSwitchedOffForTheEngineAndPassedOverByARequest) {
  SteppedEngine off(pages(100, false));
  off.run(text_request("a", kPrompt, 5));
  EXPECT_EQ(off.run(text_request("a", kPrompt, 5)).usage.cached_tokens, 0);
  EXPECT_EQ(off.core().stats().blocks_free, 100);

  SteppedEngine on(pages(100));
  auto request = text_request("a", kPrompt, 5);
  const auto plain = on.run(request);
  request.ignore_prefix_cache = true;
  EXPECT_EQ(on.run(request).usage.cached_tokens, 0);
  request.ignore_prefix_cache = false;
  request.prompt_logprobs = request.logprobs = true;
  const auto with_rows = on.run(request);
  EXPECT_EQ(with_rows.usage.cached_tokens, 0) << "every row of the prompt must be computed";
  EXPECT_EQ(with_rows.choices.at(0).text, plain.choices.at(0).text);
  EXPECT_EQ(with_rows.choices.at(0).reported.size(), 105u);
}

TEST(EngineCache, TheNextTurnOfAChatFindsWhatWasGenerated) {
  // Only ASCII, so that a text has the tokens that made it.
  SteppedEngine engine(pages(100), make_fake_runner({128, 4096}));
  const auto turn = engine.run(text_request("a", kPrompt, 60));
  const std::string more = kPrompt + turn.choices.at(0).text + "and now?";
  const auto next = engine.run(text_request("b", more, 10));
  // The last token of a turn is sampled and never computed.
  EXPECT_EQ(next.usage.cached_tokens, (100 + 60 - 1) / 16 * 16);
  SteppedEngine fresh(pages(100, false), make_fake_runner({128, 4096}));
  EXPECT_EQ(next.choices, fresh.run(text_request("b", more, 10)).choices);
}

// Where prompts are computed in an arithmetic of their own, what the next turn is given is computed
// again, so that its answer is the one of an engine that never saw the first turn.
TEST(EngineCache, PromptsThatAreComputedApartFindPromptsAlone) {
  const auto runner = [] {
    return make_fake_runner({.vocab_size = 128, .context_tokens_max = 4096, .prompts_apart = true});
  };
  SteppedEngine engine(pages(100), runner());
  const auto turn = engine.run(text_request("a", kPrompt, 60));
  const std::string more = kPrompt + turn.choices.at(0).text + "and now?";
  const auto next = engine.run(text_request("b", more, 10));
  EXPECT_EQ(next.usage.cached_tokens, 100 / 16 * 16);
  SteppedEngine fresh(pages(100, false), runner());
  EXPECT_EQ(next.choices, fresh.run(text_request("b", more, 10)).choices);
  const auto last = engine.run(text_request("c", more + turn.choices.at(0).text, 10));
  EXPECT_EQ(last.usage.cached_tokens, (100 + 60 + 8) / 16 * 16);
}

// A preempted answer is not taken from another's prompt of the same words.
TEST(EngineCache, APreemptedAnswerIsComputedAsAnAnswer) {
  const auto runner = [] {
    return make_fake_runner({.vocab_size = 128, .context_tokens_max = 4096, .prompts_apart = true});
  };
  SteppedEngine fresh(pages(100, false), runner());
  const auto turn = fresh.run(text_request("a", kPrompt, 150));
  const std::string words = kPrompt + turn.choices.at(0).text.substr(0, 100);
  SteppedEngine tight(pages(19), runner());
  ASSERT_TRUE(tight.add(text_request("older", words, 60)).ok());
  ASSERT_TRUE(tight.add(text_request("a", kPrompt, 150)).ok());
  tight.run_until_idle();
  EXPECT_GT(tight.core().stats().preemptions, 0);
  EXPECT_EQ(tight.results().at("a").choices, turn.choices);
}

TEST(EngineCache, ChoicesComputeTheirPromptsPagesOnce) {
  for (const bool cache : {true, false}) {
    SteppedEngine engine(pages(100, cache));
    auto request = text_request("a", kPrompt, 2);
    request.n = 4;
    const auto result = engine.run(request);
    // The leader's 100, the three others' 4 past the full pages, and a second token each.
    EXPECT_EQ(engine.core().stats().batch_tokens, 100 + 3 * 4 + 4);
    EXPECT_EQ(result.usage.prompt_tokens, 100);
    EXPECT_EQ(result.usage.cached_tokens, 0);
    EXPECT_EQ(result.usage.completion_tokens, 8);
    for (int i = 0; i < 4; ++i) {
      auto alone = request;
      alone.n = i + 1;
      SteppedEngine fresh(pages(100, cache));
      EXPECT_EQ(result.choices.at(i), fresh.run(alone).choices.at(i));
    }
    engine.expect_no_page_held();
  }
}

TEST(EngineCache, ChoicesOfALeaderThatEndsAtOnceStillStartFromItsPages) {
  SteppedEngine engine(pages(100, false));
  auto request = text_request("a", kPrompt, 1);
  request.n = 3;
  EXPECT_EQ(engine.run(request).usage.completion_tokens, 3);
  EXPECT_EQ(engine.core().stats().batch_tokens, 100 + 2 * 4);
  engine.expect_no_page_held();
}

// Wraps a runner and remembers every slot that was written since its page was cleared. Drafts may
// be overwritten.
class WatchingRunner final : public Runner {
 public:
  explicit WatchingRunner(std::unique_ptr<Runner> inner) : inner_(std::move(inner)) {}
  const RunnerInfo& info() const override { return inner_->info(); }
  absl::Status allocate_kv(std::int32_t blocks) override { return inner_->allocate_kv(blocks); }
  absl::Status forward(std::span<const BatchEntry> batch, std::span<const float>& logits) override {
    for (const auto& entry : batch) {
      for (std::size_t i = 0; i < entry.tokens.size(); ++i) {
        const auto position = entry.position + static_cast<std::int32_t>(i);
        const auto block = entry.blocks[static_cast<std::size_t>(position / kBlockTokens)];
        const bool draft = i + static_cast<std::size_t>(entry.drafts) >= entry.tokens.size();
        const auto [slot, fresh] =
            written_.try_emplace({block.value(), position % kBlockTokens}, draft);
        EXPECT_TRUE(fresh || slot->second)
            << "page " << block.value() << " was given out with its last owner's content";
        slot->second = draft;
      }
    }
    return inner_->forward(batch, logits);
  }
  void clear_blocks(std::span<const BlockId> blocks) override {
    for (const auto block : blocks) {
      std::erase_if(written_, [&](const auto& slot) { return slot.first.first == block.value(); });
    }
    inner_->clear_blocks(blocks);
  }

 private:
  std::unique_ptr<Runner> inner_;
  std::map<std::pair<std::int32_t, int>, bool> written_;  // whether with a draft
};

// Promise 4: with few pages, each one goes from tenant to tenant.
TEST(EngineCache, PagesAreClearedBeforeAnotherGetsThem) {
  for (const bool cache : {true, false}) {
    SteppedEngine engine(pages(9, cache), std::make_unique<WatchingRunner>(make_fake_runner({})));
    for (int i = 0; i < 30; ++i) {
      auto request = text_request("r" + std::to_string(i), std::string(20 + i, 'x'), 40,
                                  static_cast<std::uint64_t>(i));
      request.cache_salt = std::to_string(i % 3);
      ASSERT_TRUE(engine.add(request).ok());
    }
    engine.run_until_idle();
    EXPECT_GT(engine.core().stats().preemptions, 0);
    for (const auto& [id, result] : engine.results()) EXPECT_TRUE(result.status.ok());
  }
}

// A draft that reaches into a page takes it from the cache, in the step in which it is written.
TEST(EngineCache, PagesThatDraftsTakeAreClearedToo) {
  SteppedEngine engine(pages(9), std::make_unique<WatchingRunner>(make_fake_runner({.period = 5})));
  for (int i = 0; i < 6; ++i) {
    auto request = text_request(std::to_string(i), "abcdeabcdeabcdeabcde", 100);
    request.sampling.temperature = 0;
    request.cache_salt = request.request_id;
    const auto drafted = engine.core().stats().drafted_tokens;
    EXPECT_TRUE(engine.run(request).status.ok());
    EXPECT_GT(engine.core().stats().drafted_tokens, drafted + 50);
  }
  EXPECT_GT(engine.core().stats().cache_evictions, 10);
}

}  // namespace
}  // namespace plinth::engine
