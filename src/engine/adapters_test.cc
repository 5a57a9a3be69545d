// Adapters over a shared base: what they compute, that nobody's bits depend on whom they share a
// batch with, and that nothing computed under one serves another.
#include <gtest/gtest.h>

#include <cstring>

#include "engine/adapter_pool.h"
#include "engine/model_runner.h"
#include "engine/testing/random_adapter.h"
#include "engine/testing/stepped_engine.h"
#include "tests/support/source_dir.h"

namespace plinth::engine {
namespace {

std::string tiny_path() { return source_dir() + "/tests/golden/model/tiny_llama.gguf"; }

std::unique_ptr<model::ModelFile> tiny_model() { return *model::open_model(tiny_path()); }

std::unique_ptr<Runner> runner_of(std::unique_ptr<model::ModelFile> file, int threads,
                                  tensor::Isa isa, tensor::LinearMode mode,
                                  bool bulk_reference = false) {
  ModelRunnerOptions options{threads, isa, mode};
  options.bulk_reference = bulk_reference;
  auto runner = make_model_runner(std::move(file), options);
  EXPECT_TRUE(runner.ok()) << runner.status();
  EXPECT_TRUE((*runner)->allocate_kv(64).ok());
  return *std::move(runner);
}

std::vector<float> run(Runner& runner, const std::vector<BatchEntry>& batch) {
  std::span<const float> logits;
  const auto status = runner.forward(batch, logits);
  EXPECT_TRUE(status.ok()) << status;
  return {logits.begin(), logits.end()};
}

std::vector<std::int32_t> tokens_of(int n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(n));
  for (auto& token : tokens) token = static_cast<std::int32_t>(random() % 40);
  return tokens;
}

std::vector<BlockId> pages_from(int first) {
  return {BlockId(first), BlockId(first + 1), BlockId(first + 2)};
}

BatchEntry entry_of(std::span<const std::int32_t> tokens, std::span<const BlockId> pages,
                    AdapterId adapter) {
  BatchEntry entry;
  entry.tokens = tokens;
  entry.blocks = pages;
  entry.logits = static_cast<std::int32_t>(tokens.size());
  entry.prompt = true;
  entry.adapter = adapter;
  return entry;
}

TEST(Adapters, GiveTheLogitsOfTheMergedModel) {
  const auto tokens = tokens_of(30, 1);
  const auto pages = pages_from(0);
  for (const int rank : {1, 3, 8}) {
    const auto paths = write_random_adapter("merged", tiny_model()->spec, rank, 5);
    auto merged_file = tiny_model();
    const auto adapter = model::open_adapter(paths, merged_file->spec);
    ASSERT_TRUE(adapter.ok()) << adapter.status();
    merge(*adapter, *merged_file);
    for (const auto isa : tensor::supported_isas()) {
      const auto merged = run(*runner_of(std::move(merged_file), 1, isa, tensor::LinearMode::exact),
                              {entry_of(tokens, pages, kNoAdapter)});
      merged_file = tiny_model();
      merge(*adapter, *merged_file);
      auto runner = runner_of(tiny_model(), 2, isa, tensor::LinearMode::exact);
      const auto plain = run(*runner, {entry_of(tokens, pages, kNoAdapter)});
      const auto loaded = runner->load_adapter(adapter_ref("a", paths));
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      const auto adapted = run(*runner, {entry_of(tokens, pages, loaded->id)});
      ASSERT_EQ(adapted.size(), merged.size());
      float apart = 0, moved = 0;
      for (std::size_t i = 0; i < merged.size(); ++i) {
        apart = std::max(apart, std::abs(adapted[i] - merged[i]) / (1 + std::abs(merged[i])));
        moved = std::max(moved, std::abs(adapted[i] - plain[i]));
      }
      EXPECT_LT(apart, 1e-5f) << tensor::isa_name(isa) << " rank " << rank;
      EXPECT_GT(moved, 0.01f) << "an adapter that changes nothing proves nothing";
    }
  }
}

struct Stream {
  std::vector<std::int32_t> tokens;
  int adapter;  // -1 = the base
  int first_page;
};

std::vector<AdapterId> load(Runner& runner, const std::vector<model::AdapterPaths>& paths) {
  std::vector<AdapterId> ids;
  for (const auto& path : paths) ids.push_back(runner.load_adapter(adapter_ref("", path))->id);
  return ids;
}

AdapterId id_of(const Stream& stream, const std::vector<AdapterId>& ids) {
  return stream.adapter < 0 ? kNoAdapter : ids[static_cast<std::size_t>(stream.adapter)];
}

// The logits of all tokens: prompts cut anywhere, and who else is in a step at random.
std::vector<std::vector<float>> run_mixed(Runner& runner, const std::vector<Stream>& streams,
                                          const std::vector<AdapterId>& ids, std::mt19937& random) {
  std::vector<std::size_t> computed(streams.size());
  std::vector<std::vector<float>> got(streams.size());
  for (bool left = true; left;) {
    std::vector<BatchEntry> batch;
    std::vector<std::size_t> who;
    std::vector<std::vector<BlockId>> pages;
    pages.reserve(streams.size());
    left = false;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      const auto rest = streams[i].tokens.size() - computed[i];
      left = left || rest > 0;
      if (rest == 0 || random() % 3 == 0) continue;
      const auto count = std::min<std::size_t>(rest, 1 + random() % 9);
      pages.push_back(pages_from(streams[i].first_page));
      const std::span<const std::int32_t> all(streams[i].tokens);
      auto entry = entry_of(all.subspan(computed[i], count), pages.back(), id_of(streams[i], ids));
      entry.position = static_cast<std::int32_t>(computed[i]);
      computed[i] += count;
      batch.push_back(entry);
      who.push_back(i);
    }
    if (batch.empty()) continue;
    const auto logits = run(runner, batch);
    auto at = logits.begin();
    for (std::size_t e = 0; e < batch.size(); ++e) {
      const auto end = at + static_cast<std::ptrdiff_t>(batch[e].tokens.size()) * 40;
      got[who[e]].insert(got[who[e]].end(), at, end);
      at = end;
    }
  }
  return got;
}

void expect_same_bits(bool bulk_reference, tensor::Isa isa) {
  const auto runner_with = [&](int threads) {
    return runner_of(tiny_model(), threads, isa, tensor::LinearMode::fast, bulk_reference);
  };
  const auto spec = tiny_model()->spec;
  std::vector<model::AdapterPaths> paths;
  for (int i = 0; i < 3; ++i) {
    paths.push_back(write_random_adapter("bits" + std::to_string(i), spec, 2 + 3 * i,
                                         static_cast<unsigned>(i)));
  }
  // Those on the base are held to a runner that never heard of adapters.
  auto bare = runner_with(1), adapting = runner_with(1);
  const auto loaded = load(*adapting, paths);
  std::vector<Stream> streams;
  std::vector<std::vector<float>> alone;
  for (int i = 0; i < 9; ++i) {
    streams.push_back({tokens_of(20 + i, 10u + static_cast<unsigned>(i)), i % 4 - 1, i * 3});
    const auto pages = pages_from(i * 3);
    auto& runner = streams.back().adapter < 0 ? *bare : *adapting;
    alone.push_back(
        run(runner, {entry_of(streams.back().tokens, pages, id_of(streams.back(), loaded))}));
  }
  std::mt19937 random(3);
  for (int round = 0; round < 5; ++round) {
    auto runner = runner_with(1 + round % 3);
    const auto got = run_mixed(*runner, streams, load(*runner, paths), random);
    for (std::size_t i = 0; i < streams.size(); ++i) {
      ASSERT_EQ(got[i].size(), alone[i].size());
      ASSERT_EQ(std::memcmp(got[i].data(), alone[i].data(), got[i].size() * 4), 0)
          << tensor::isa_name(isa) << ", round " << round << ", stream " << i;
    }
  }
}

TEST(Adapters, NobodysBitsDependOnTheBatchOrTheThreads) {
  for (const auto isa : tensor::supported_isas()) expect_same_bits(false, isa);
}

TEST(Adapters, NobodysBitsDependOnItWherePromptsAreComputedApart) {
  expect_same_bits(true, tensor::best_isa());
}

TEST(Adapters, OneThatIsNotLoadedIsAnError) {
  auto runner = runner_of(tiny_model(), 1, tensor::best_isa(), tensor::LinearMode::fast);
  const auto paths = write_random_adapter("gone", tiny_model()->spec, 2, 1);
  const auto id = runner->load_adapter(adapter_ref("a", paths))->id;
  runner->unload_adapter(id);
  const auto tokens = tokens_of(3, 1);
  const auto pages = pages_from(0);
  std::span<const float> logits;
  const std::vector<BatchEntry> batch{entry_of(tokens, pages, id)};
  EXPECT_TRUE(absl::IsFailedPrecondition(runner->forward(batch, logits)));
}

protocol::GenerateRequest adapted(const std::string& id, const std::string& adapter) {
  auto request = text_request(id, std::string(100, 'p'), 20);
  if (!adapter.empty()) request.adapter = {adapter, "adapter-" + adapter, ""};
  return request;
}

EngineOptions small_engine(std::size_t adapter_bytes = 1000) {
  EngineOptions options;
  options.kv_bytes = std::size_t{100} * 1024;
  options.adapter_bytes = adapter_bytes;
  return options;
}

// The fake runner also checks each page that it reads.
TEST(Adapters, APromptThatIsCachedUnderOneServesNoOther) {
  SteppedEngine engine(small_engine());
  const auto base = engine.run(adapted("r", ""));
  const auto a = engine.run(adapted("r", "a"));
  const auto b = engine.run(adapted("r", "b"));
  EXPECT_EQ(a.usage.cached_tokens, 0);
  EXPECT_EQ(b.usage.cached_tokens, 0);
  EXPECT_NE(base.choices, a.choices);
  EXPECT_NE(a.choices, b.choices);
  EXPECT_NE(a.admitted->system_fingerprint, b.admitted->system_fingerprint);
  const auto again = engine.run(adapted("r", "a"));
  EXPECT_EQ(again.usage.cached_tokens, 96);
  EXPECT_EQ(again.choices, a.choices);
  EXPECT_EQ(engine.run(adapted("r", "")).usage.cached_tokens, 96);
}

TEST(Adapters, APinIsOnThePagesOfTheRequestsOwnAdapter) {
  SteppedEngine engine(small_engine());
  engine.run(adapted("r", "a"));
  auto held = adapted("h", "b");
  held.held = true;
  auto prepared = engine.core().prepare(held);
  EXPECT_EQ(prepared.pin.tokens, 0);
  engine.core().release(prepared);
  held.adapter = adapted("r", "a").adapter;
  prepared = engine.core().prepare(held);
  EXPECT_EQ(prepared.pin.tokens, 96);
  engine.core().release(prepared);
}

// Read by whoever composes the program: this room knows nothing of keys.
TEST(Adapters, ASealedOneIsReadByItsKey) {
  auto file = tiny_model();
  const auto paths = write_random_adapter("sealed", file->spec, 3, 5);
  ModelRunnerOptions options{1, tensor::Isa::scalar, tensor::LinearMode::exact};
  std::string asked;
  options.open_sealed = [&](const std::string& path,
                            const std::string& key) -> absl::StatusOr<base::FileBytes> {
    asked = key + " of " + path;
    if (key != "key") return base::data_loss("not what was sealed");
    return base::map_file(paths.tensors);
  };
  const auto runner = *make_model_runner(std::move(file), options);
  auto ref = adapter_ref("id", paths);
  ref.path = "/sealed";
  ref.key = "key";
  const auto loaded = runner->load_adapter(ref);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(asked, "key of /sealed");
  ref.key = "another";
  EXPECT_TRUE(absl::IsDataLoss(runner->load_adapter(ref).status()));
  EXPECT_TRUE(absl::IsUnimplemented(
      runner_of(tiny_model(), 1, tensor::Isa::scalar, tensor::LinearMode::exact)
          ->load_adapter(ref)
          .status()));
}

TEST(Adapters, OneThatCannotBeLoadedFailsItsRequestAlone) {
  SteppedEngine engine(small_engine());
  auto request = adapted("r", "a");
  request.adapter.path = "broken";
  const auto failed = engine.run(request);
  EXPECT_TRUE(absl::IsFailedPrecondition(failed.status)) << failed.status;
  EXPECT_TRUE(engine.run(adapted("r", "a")).status.ok()) << "it is tried again";
}

class AdapterPoolTest : public testing::Test {
 protected:
  std::shared_ptr<const AdapterLease> acquire(const std::string& id) {
    auto lease = pool_.acquire({id, "ten bytes.", ""});
    EXPECT_TRUE(lease.ok()) << lease.status();
    return *std::move(lease);
  }
  std::unique_ptr<Runner> runner_ = make_fake_runner({});
  AdapterPool pool_{*runner_, 25};
};

TEST_F(AdapterPoolTest, TheLeastRecentlyUsedLeavesFirst) {
  const auto a = acquire("a")->id(), b = acquire("b")->id();
  EXPECT_EQ(acquire("a")->id(), a);
  acquire("c");
  EXPECT_EQ(pool_.bytes(), 20u);
  EXPECT_EQ(acquire("a")->id(), a) << "b was used longest ago";
  EXPECT_NE(acquire("b")->id(), b);
}

TEST_F(AdapterPoolTest, WhatIsInUseStays) {
  const auto a = acquire("a"), b = acquire("b");
  const auto refused = pool_.acquire({"c", "ten bytes.", ""});
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
  EXPECT_EQ(acquire("a")->id(), a->id());
  EXPECT_EQ(pool_.bytes(), 20u);
}

// Its id is its content's: sealed anew it is the same, and only who must load it needs the new key.
TEST_F(AdapterPoolTest, AnOldKeyIsNoErrorOfTheAdapter) {
  EXPECT_TRUE(absl::IsAborted(pool_.acquire({"a", "ten bytes.", "", "old"}).status()));
  const auto loaded = pool_.acquire({"a", "ten bytes.", "", "new"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto again = pool_.acquire({"a", "ten bytes.", "", "old"});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->id(), (*loaded)->id());
}

TEST_F(AdapterPoolTest, OneThatIsLargerThanAllMayBeIsRefused) {
  const auto refused = pool_.acquire({"c", std::string(26, 'x'), ""});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
  EXPECT_EQ(pool_.bytes(), 0u);
  EXPECT_EQ(pool_.loaded(), 0);
}

}  // namespace
}  // namespace plinth::engine
