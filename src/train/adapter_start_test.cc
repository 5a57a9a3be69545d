#include "train/adapter_start.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>

#include "model/model_file.h"
#include "train/adapter.h"

namespace plinth::train {
namespace {

const std::string kModel =
    std::string(PLINTH_SOURCE_DIR) + "/tests/golden/architecture/llama/model.gguf";

class AdapterStartTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "start_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    file_ = *model::open_model(kModel);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static LoraOptions options(std::int64_t rank, double alpha, std::vector<std::string> targets) {
    LoraOptions lora;
    lora.rank = rank;
    lora.alpha = alpha;
    lora.targets = std::move(targets);
    return lora;
  }
  std::unique_ptr<Decoder<float>> decoder(const LoraOptions& lora) {
    return *Decoder<float>::make(file_->spec, file_->weights, lora);
  }
  // An adapter as a run leaves it and as the next one reads it.
  model::AdapterFile left_by(Decoder<float>& decoder, const LoraOptions& lora) {
    EXPECT_TRUE(write_peft_adapter(decoder, lora, "tiny", folder_).ok());
    return *model::open_adapter(model::adapter_paths(folder_), file_->spec);
  }
  static std::vector<float> logits(Decoder<float>& decoder) {
    base::ThreadPool threads(1);
    Compute compute(threads);
    Tape<float> tape(compute);
    tape.set_recording(false);
    Batch batch;
    batch.ids = {5, 17, 60, 3, 3, 91};
    batch.documents = {{0, 6}};
    const auto& hidden = decoder.hidden(tape, batch, Recompute::none);
    std::vector<float> out(static_cast<std::size_t>(6 * decoder.spec().vocab));
    head_logits(hidden, 0, 6, decoder.head(), decoder.head_shape(), out.data(), compute);
    return out;
  }
  static double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0, norm = 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
      sum += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
      norm += std::pow(static_cast<double>(b[i]), 2);
    }
    return std::sqrt(sum / norm);
  }

  std::string folder_;
  std::unique_ptr<model::ModelFile> file_;
};

TEST_F(AdapterStartTest, ARunBeginsWhereTheLastOneEnded) {
  const auto before = options(3, 5, {"q", "v", "down"});
  const auto first = decoder(before);
  const auto base = logits(*first);
  int i = 0;
  for (auto& parameter : first->parameters().all())
    for (std::size_t n = 0; parameter.learns() && n < parameter.value.size(); ++n)
      parameter.value[n] = 0.3f * std::sin(static_cast<float>(++i));
  const auto expected = logits(*first);
  ASSERT_GT(distance(base, expected), 0.1);
  const auto adapter = left_by(*first, before);
  EXPECT_EQ(lora_of(adapter).rank, 3);
  EXPECT_EQ(lora_of(adapter).targets, (std::vector<std::string>{"q", "v", "down"}));
  // The same room with another factor, and more room.
  for (const auto& lora :
       {lora_of(adapter), options(8, 1, {"q", "k", "v", "o", "gate", "up", "down"})}) {
    const auto second = decoder(lora);
    ASSERT_TRUE(begin_with(adapter, lora, second->parameters()).ok());
    EXPECT_LT(distance(logits(*second), expected), 1e-5);
  }
}

TEST_F(AdapterStartTest, WhatHasNoRoomForItIsRefused) {
  const auto lora = options(3, 5, {"q", "v"});
  const auto adapter = left_by(*decoder(lora), lora);
  for (const auto& less : {options(2, 5, {"q", "v"}), options(3, 5, {"q"})}) {
    const auto small = decoder(less);
    EXPECT_TRUE(absl::IsInvalidArgument(begin_with(adapter, less, small->parameters())));
  }
}

}  // namespace
}  // namespace plinth::train
