// What a token costs in allocations, counted by the address sanitizer's hooks. A step like an
// earlier one allocates nothing in the forward pass, and outside it what its events carry away.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <climits>

#include "absl/functional/function_ref.h"
#include "engine/model_runner.h"
#include "engine/sched/scheduler.h"
#include "engine/testing/stepped_engine.h"
#include "tests/support/source_dir.h"

// The sanitizer's own header is not installed everywhere.
extern "C" __attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(
    void (*on_allocation)(const volatile void*, std::size_t),
    void (*on_free)(const volatile void*));

namespace plinth::engine {
namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};

void on_allocation(const volatile void*, std::size_t) {
  if (counting) ++allocations;
}
void on_free(const volatile void*) {}

// Allocations of all threads while `body` runs.
int allocations_of(absl::FunctionRef<void()> body) {
  static const int installed = __sanitizer_install_malloc_and_free_hooks(on_allocation, on_free);
  EXPECT_GT(installed, 0);
  allocations = 0;
  counting = true;
  body();
  counting = false;
  return allocations;
}

class TokenPath : public ::testing::Test {
 protected:
  void SetUp() override {
    if (__sanitizer_install_malloc_and_free_hooks == nullptr) {
      GTEST_SKIP() << "allocations are counted with the address sanitizer alone";
    }
  }
};

TEST_F(TokenPath, TheCounterSeesEveryThread) {
  base::ThreadPool pool(2);
  std::atomic<int> kept{0};
  EXPECT_GE(allocations_of([&] {
              pool.run([&](int) { kept += static_cast<int>(std::vector<int>(100, 1).back()); });
            }),
            2);
  EXPECT_EQ(allocations_of([&] { pool.run([&](int) { ++kept; }); }), 0);
}

std::unique_ptr<Runner> runner_of(const std::string& model) {
  auto file = model::open_model(source_dir() + "/tests/golden/" + model);
  EXPECT_TRUE(file.ok()) << file.status();
  auto runner = make_model_runner(*std::move(file), {2, tensor::best_isa()});
  EXPECT_TRUE(runner.ok()) << runner.status();
  return *std::move(runner);
}

class ForwardPass : public TokenPath, public ::testing::WithParamInterface<const char*> {};

TEST_P(ForwardPass, AllocatesNothing) {
  const auto runner = runner_of(GetParam());
  constexpr std::int32_t kSequences = 3, kBlocks = 3;
  ASSERT_TRUE(runner->allocate_kv(kSequences * kBlocks).ok());
  std::vector<std::vector<BlockId>> blocks(kSequences);
  for (std::int32_t i = 0; i < kSequences * kBlocks; ++i)
    blocks[i % kSequences].push_back(BlockId(i));
  const std::int32_t token = 3;
  std::vector<BatchEntry> batch(kSequences);
  std::span<const float> logits;
  const auto step = [&](std::int32_t position) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      batch[i] = {{&token, 1}, position, blocks[i]};
    }
    EXPECT_TRUE(runner->forward(batch, logits).ok());
  };
  // The tables of rotations grow by powers of two.
  for (std::int32_t position = 0; position < 18; ++position) step(position);
  // A thread's own memory is made when it first gets work, which may be late on a busy machine:
  // what every window shows is what a step costs.
  int fewest = INT_MAX;
  for (int window = 0; window < 8 && fewest > 0; ++window) {
    fewest = std::min(fewest, allocations_of([&] {
                        for (std::int32_t position = 18; position < 32; ++position) step(position);
                      }));
  }
  EXPECT_EQ(fewest, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, ForwardPass,
                         ::testing::Values("model/tiny_llama.gguf", "architecture/gpt2",
                                           "architecture/qwen3moe", "architecture/gemma2"));

// Tenants whose turns change from step to step, and one that waits for a place.
TEST_F(TokenPath, PlanningAStepAllocatesNothing) {
  constexpr int kRunning = 6;
  SchedulerOptions options;
  options.sequences_max = kRunning;
  Scheduler scheduler(64, options);
  std::vector<Sequence> sequences(kRunning + 2);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    sequences[i].tokens.reserve(64);
    sequences[i].tokens.assign(i + 1, 3);
    sequences[i].prompt_tokens = static_cast<std::int32_t>(i + 1);
    sequences[i].owner = {
        std::to_string(i % 4), static_cast<std::int32_t>(1 + i % 3),
        i == 5 ? protocol::ServiceClass::batch : protocol::ServiceClass::standard};
    scheduler.add(sequences[i]);
  }
  const auto step = [&] {
    for (const auto& chunk : scheduler.plan()) {
      scheduler.commit(chunk);
      chunk.sequence->tokens.push_back(7);
    }
  };
  step();
  step();
  ASSERT_EQ(scheduler.running(), kRunning);
  ASSERT_GT(scheduler.waiting(), 0);
  EXPECT_EQ(allocations_of([&] {
              for (int i = 0; i < 6; ++i) step();
            }),
            0);
}

// The list of a request's events goes to its sink: with it the step's text, where it does not fit
// into the string itself.
TEST_F(TokenPath, AStepAllocatesForItsEvents) {
  EngineOptions options;
  options.kv_bytes = 1 << 20;
  SteppedEngine engine(options, runner_of("model/tiny_llama.gguf"));
  constexpr int kRequests = 4, kSteps = 8;
  int delivered = 0;
  for (int i = 0; i < kRequests; ++i) {
    auto request = text_request(std::to_string(i), "", 30);
    request.prompt = protocol::TokenPrompt{{1, 2, 3 + i}};
    request.ignore_eos = true;
    ASSERT_TRUE(engine.core()
                    .add(engine.core().prepare(request),
                         [&](const std::vector<protocol::GenerateEvent>& events) {
                           delivered += static_cast<int>(events.size());
                         })
                    .ok());
  }
  const auto run = [&] {
    for (int i = 0; i < kSteps; ++i) engine.core().step();
  };
  run();
  delivered = 0;
  // Half as many again where a page is full and goes to the cache.
  EXPECT_LE(allocations_of(run), 2 * kRequests * kSteps);
  EXPECT_EQ(delivered, kRequests * kSteps);
}

}  // namespace
}  // namespace plinth::engine
