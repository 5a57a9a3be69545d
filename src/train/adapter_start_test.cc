#include "train/adapter_start.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "model/model_file.h"
#include "tests/support/source_dir.h"
#include "train/adapter.h"
#include "train/testing/decoder_answers.h"

namespace plinth::train {
namespace {

const std::string kModel = source_dir() + "/tests/golden/architecture/llama/model.gguf";

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
  std::string folder_;
  std::unique_ptr<model::ModelFile> file_;
};

TEST_F(AdapterStartTest, ARunBeginsWhereTheLastOneEnded) {
  const auto before = options(3, 5, {"q", "v", "down"});
  const auto first = decoder(before);
  const auto base = logits(*first);
  fill(*first);
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
