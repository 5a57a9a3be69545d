#include "train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/file.h"
#include "model/tokenizer.h"
#include "train/testing/tiny_model.h"
#include "train/trainer.h"

namespace plinth::train {
namespace {

using testing::HasSubstr;

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "checkpoint_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    file_ = tiny_model();
    const auto tokenizer = *model::make_tokenizer(file_->tokenizer);
    const ExampleEncoder encoder(*tokenizer, nullptr, 0);
    std::string text;
    for (int i = 0; i < 7; ++i)
      text += "{\"prompt\":\"p" + std::to_string(i) + "\",\"completion\":\"c\"}\n";
    data_ = *Dataset::read(text, encoder, {100});
    options_.batch_size = 2;
    options_.epochs = 2;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // A process of its own, as far as a run can tell.
  struct Run {
    Run(const CheckpointTest& test, std::int64_t rank)
        : threads(2),
          compute(threads),
          decoder(make(test, rank)),
          trainer(*decoder, test.data_, test.options_, compute) {}
    static std::unique_ptr<Decoder<float>> make(const CheckpointTest& test, std::int64_t rank) {
      LoraOptions lora;
      lora.rank = rank;
      return *Decoder<float>::make(test.file_->spec, test.file_->weights, lora);
    }
    void go(std::int64_t steps) {
      for (std::int64_t i = 0; i < steps; ++i) ASSERT_TRUE(trainer.step().ok());
    }
    std::vector<float> weights() const {
      std::vector<float> all;
      for (const auto& parameter : decoder->parameters().all())
        all.insert(all.end(), parameter.value.begin(), parameter.value.end());
      return all;
    }
    base::ThreadPool threads;
    Compute compute;
    std::unique_ptr<Decoder<float>> decoder;
    Trainer trainer;
  };
  std::vector<std::string> folders() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string folder_;
  std::unique_ptr<model::ModelFile> file_;
  Dataset data_;
  TrainerOptions options_;
};

TEST_F(CheckpointTest, ARunThatGoesOnIsTheRunThatNeverStopped) {
  for (const std::int64_t rank : {0, 2}) {
    Run whole(*this, rank);
    whole.go(8);
    for (const std::int64_t stop : {1, 4, 6}) {
      Run first(*this, rank);
      first.go(stop);
      ASSERT_TRUE(first.trainer.save(folder_, 1).ok());
      first.go(1);  // what came after it is lost
      Run second(*this, rank);
      const auto resumed = second.trainer.resume(folder_);
      ASSERT_TRUE(resumed.ok()) << resumed.status();
      EXPECT_TRUE(*resumed);
      EXPECT_EQ(second.trainer.done(), stop);
      second.go(8 - stop);
      EXPECT_TRUE(second.weights() == whole.weights()) << rank << " from " << stop;
    }
    std::filesystem::remove_all(folder_);
  }
}

// Files in a form of its own: every bit is the other.
class Inverted final : public base::Storage {
 public:
  absl::StatusOr<std::unique_ptr<base::FileSink>> create(const std::string& path) const override {
    ASSIGN_OR_RETURN(auto file, base::plain_storage().create(path));
    return std::unique_ptr<base::FileSink>(std::make_unique<Sink>(std::move(file)));
  }
  absl::StatusOr<base::FileBytes> read(const std::string& path) const override {
    ASSIGN_OR_RETURN(const auto file, base::plain_storage().read(path));
    return base::FileBytes(inverted(file.text()));
  }

 private:
  static std::string inverted(std::string_view text) {
    std::string other(text);
    for (char& c : other) c = static_cast<char>(~c);
    return other;
  }
  class Sink final : public base::FileSink {
   public:
    explicit Sink(std::unique_ptr<base::FileSink> file) : file_(std::move(file)) {}
    absl::Status write(std::string_view part) override { return file_->write(inverted(part)); }
    absl::Status commit() override { return file_->commit(); }

   private:
    const std::unique_ptr<base::FileSink> file_;
  };
};

TEST_F(CheckpointTest, LiesInTheFormThatItsStorageHas) {
  const Inverted storage;
  Run whole(*this, 2), first(*this, 2);
  whole.go(6);
  first.go(3);
  ASSERT_TRUE(first.trainer.begin_save(folder_, 1, storage).ok());
  ASSERT_TRUE(first.trainer.finish_save().ok());
  for (const auto* name : {"state.safetensors", "run.json"}) {
    const auto stored = *base::read_file(folder_ + "/step-00000003/" + name, 1u << 26);
    EXPECT_EQ(stored.find("lora"), std::string::npos) << name;
    EXPECT_EQ(stored.find("batch_size"), std::string::npos) << name;
  }
  EXPECT_FALSE(Run(*this, 2).trainer.resume(folder_).ok());
  Run second(*this, 2);
  const auto resumed = second.trainer.resume(folder_, storage);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  second.go(3);
  EXPECT_TRUE(second.weights() == whole.weights());
}

TEST_F(CheckpointTest, TheNewestAreKept) {
  Run run(*this, 1);
  EXPECT_FALSE(*run.trainer.resume(folder_));
  for (int i = 0; i < 4; ++i) {
    run.go(1);
    ASSERT_TRUE(run.trainer.save(folder_, 2).ok());
  }
  EXPECT_THAT(folders(), testing::ElementsAre("step-00000003", "step-00000004"));
}

TEST_F(CheckpointTest, WithoutItsMarkItIsNone) {
  Run run(*this, 1);
  run.go(1);
  ASSERT_TRUE(run.trainer.save(folder_, 2).ok());
  run.go(1);
  ASSERT_TRUE(run.trainer.save(folder_, 2).ok());
  // As where the process died in between.
  std::filesystem::remove(folder_ + "/step-00000002/DONE");
  std::filesystem::resize_file(folder_ + "/step-00000002/state.safetensors", 100);
  Run other(*this, 1);
  ASSERT_TRUE(*other.trainer.resume(folder_));
  EXPECT_EQ(other.trainer.done(), 1);
  other.go(2);
  ASSERT_TRUE(other.trainer.save(folder_, 2).ok());
  EXPECT_THAT(folders(), testing::ElementsAre("step-00000001", "step-00000003"));
}

TEST_F(CheckpointTest, AnotherRunsIsRefused) {
  Run run(*this, 1);
  run.go(1);
  ASSERT_TRUE(run.trainer.save(folder_, 2).ok());
  options_.batch_size = 3;
  Run other(*this, 1);
  const auto resumed = other.trainer.resume(folder_);
  EXPECT_TRUE(absl::IsFailedPrecondition(resumed.status()));
  EXPECT_THAT(std::string(base::message(resumed.status())),
              HasSubstr("batch_size is 2, and not 3"));
  options_.batch_size = 2;
  Run wider(*this, 3);
  EXPECT_TRUE(absl::IsDataLoss(wider.trainer.resume(folder_).status()));
}

TEST_F(CheckpointTest, DamageIsSeen) {
  Run run(*this, 1);
  run.go(1);
  ASSERT_TRUE(run.trainer.save(folder_, 2).ok());
  const auto path = folder_ + "/step-00000001/";
  std::filesystem::resize_file(path + "state.safetensors", 1000);
  EXPECT_TRUE(absl::IsDataLoss(Run(*this, 1).trainer.resume(folder_).status()));
  ASSERT_TRUE(base::write_file_atomic(path + "run.json", "{").ok());
  EXPECT_TRUE(absl::IsDataLoss(Run(*this, 1).trainer.resume(folder_).status()));
}

TEST_F(CheckpointTest, WhatCannotBeWrittenLeavesTheOneBefore) {
  Run run(*this, 1);
  run.go(1);
  ASSERT_TRUE(run.trainer.save(folder_, 2).ok());
  run.go(1);
  // A file where the folder would be.
  ASSERT_TRUE(base::write_file_atomic(folder_ + "/plain", "").ok());
  EXPECT_FALSE(run.trainer.save(folder_ + "/plain", 2).ok());
  Run other(*this, 1);
  ASSERT_TRUE(*other.trainer.resume(folder_));
  EXPECT_EQ(other.trainer.done(), 1);
}

}  // namespace
}  // namespace plinth::train
