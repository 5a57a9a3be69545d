// A whole model from a stream of tokens: drawn windows, going on, and the file that it becomes.
#include "train/token_stream.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "train/testing/tiny_model.h"
#include "train/trainer.h"
#include "train/whole_model.h"

namespace plinth::train {
namespace {

class TokenStream : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "stream_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    base::ThreadPool threads(1);
    model::RandomModelOptions options;
    options.shape = {"tiny", 2, 64, 4, 2, 96, 514, 2048};
    options.linear = options.head = tensor::DType::f32;
    ASSERT_TRUE(model::write_random_model(options, start(), threads, nullptr).ok());
    options_.steps = 6;
    options_.batch_size = 3;
    options_.schedule.rate = 1e-2;
    for (int i = 0; i < 200; ++i) tokens_.push_back((i * i) % 23);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string start() const { return folder_ + "/start.gguf"; }

  struct Run {
    Run(const TokenStream& test, int thread_count)
        : file(*model::open_model(test.start())),
          threads(thread_count),
          compute(threads),
          decoder(*Decoder<float>::make(file->spec, file->weights, {})),
          trainer(*decoder, make_stream_objective(test.tokens_, 8, 1), test.options_, compute) {}
    void go(int steps) {
      for (int i = 0; i < steps; ++i) ASSERT_TRUE(trainer.step().ok());
    }
    std::unique_ptr<model::ModelFile> file;
    base::ThreadPool threads;
    Compute compute;
    std::unique_ptr<Decoder<float>> decoder;
    Trainer trainer;
  };
  static bool same(const Decoder<float>& a, const Decoder<float>& b) {
    for (std::size_t i = 0; i < a.parameters().all().size(); ++i) {
      if (a.parameters().all()[i].value != b.parameters().all()[i].value) return false;
    }
    return true;
  }

  std::string folder_;
  std::vector<std::int32_t> tokens_;
  TrainerOptions options_;
};

TEST_F(TokenStream, WindowsCoverTheText) {
  EXPECT_EQ(make_stream_objective({1, 2, 3, 4, 5}, 2, 2)->records(), 2);
  EXPECT_EQ(make_stream_objective({1, 2, 3, 4, 5}, 2, 1)->records(), 3);
  EXPECT_EQ(make_stream_objective({1, 2, 3}, 2, 5)->records(), 1);
}

TEST_F(TokenStream, TheSameBitsForAnyThreadsAndWhereItGoesOn) {
  Run whole(*this, 1), other(*this, 3), first(*this, 2), second(*this, 2);
  EXPECT_EQ(whole.trainer.steps(), 6);
  whole.go(6);
  other.go(6);
  EXPECT_TRUE(same(*whole.decoder, *other.decoder));
  first.go(4);
  ASSERT_TRUE(first.trainer.save(folder_ + "/checkpoints", 1).ok());
  ASSERT_TRUE(*second.trainer.resume(folder_ + "/checkpoints"));
  second.go(2);
  EXPECT_TRUE(same(*whole.decoder, *second.decoder));
  options_.seed = 2;
  Run drawn(*this, 1);
  drawn.go(6);
  EXPECT_FALSE(same(*whole.decoder, *drawn.decoder)) << "windows are the seed's";
}

TEST_F(TokenStream, LearnsAndIsLoadedAgain) {
  options_.steps = 60;
  Run run(*this, 2);
  const auto all = make_stream_objective(tokens_, 8, 8);
  EXPECT_GT(run.trainer.evaluate(*all)->mean(), 4);
  run.go(60);
  const auto loss = *run.trainer.evaluate(*all);
  EXPECT_EQ(loss.targets, 24 * 8);
  EXPECT_LT(loss.mean(), 0.5);
  const auto to = folder_ + "/model.gguf";
  const auto& parameters = run.decoder->parameters();
  ASSERT_TRUE(write_whole_gguf(parameters, start(), tensor::DType::f32, to).ok());
  const auto file = *model::open_model(to);
  EXPECT_TRUE(same(*run.decoder, **Decoder<float>::make(file->spec, file->weights, {})));
  ASSERT_TRUE(write_whole_gguf(parameters, start(), tensor::DType::q8_0, to).ok());
  const auto rounded = *model::open_model(to);
  EXPECT_EQ(rounded->quantization, "q8_0");
  EXPECT_FALSE(same(*run.decoder, **Decoder<float>::make(rounded->spec, rounded->weights, {})));
}

}  // namespace
}  // namespace plinth::train
