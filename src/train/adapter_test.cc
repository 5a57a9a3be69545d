// What a run leaves is what it trained.
#include "train/adapter.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "base/json.h"
#include "model/adapter_merge.h"
#include "model/gguf_copy.h"
#include "model/hf_export.h"
#include "model/model_file.h"
#include "tests/support/source_dir.h"
#include "train/testing/decoder_answers.h"
#include "train/whole_model.h"

namespace plinth::train {
namespace {

const std::string kLlama = source_dir() + "/tests/golden/architecture/llama";

class AdapterTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "adapter_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    lora_.rank = 3;
    lora_.alpha = 5;
    lora_.targets = {"q", "k", "v", "o", "gate", "up", "down"};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::unique_ptr<Decoder<float>> open(const std::string& path, const LoraOptions& lora) {
    const auto file = model::open_model(path);
    EXPECT_TRUE(file.ok()) << file.status();
    return *Decoder<float>::make((*file)->spec, (*file)->weights, lora);
  }
  std::string folder_;
  LoraOptions lora_;
};

TEST_F(AdapterTest, AMergedModelAnswersAsTheAdapterDid) {
  const auto adapted = open(kLlama + "/model.gguf", lora_);
  const auto base = logits(*adapted);
  fill(*adapted);
  const auto expected = logits(*adapted);
  EXPECT_GT(distance(base, expected), 0.1);
  const auto path = folder_ + "/merged.gguf";
  const auto status = write_merged_gguf(adapted->parameters(), lora_, kLlama + "/model.gguf",
                                        tensor::DType::f32, path);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_LT(distance(logits(*open(path, {})), expected), 1e-5);
  // All but the adapted matrices is as it was.
  const auto before = *model::open_model(kLlama + "/model.gguf"), after = *model::open_model(path);
  EXPECT_EQ(before->tokenizer.tokens, after->tokenizer.tokens);
  EXPECT_EQ(before->chat_template, after->chat_template);
}

// The same model as a GGUF file, whose q and k are in another order, and as Hugging Face's folder.
TEST_F(AdapterTest, PeftTakesTheAdapterToHuggingFacesWeights) {
  const auto adapted = open(kLlama + "/model.gguf", lora_);
  fill(*adapted);
  ASSERT_TRUE(write_peft_adapter(*adapted, lora_, "tiny", folder_).ok());
  const auto config =
      *base::parse_json(*base::read_file(folder_ + "/adapter_config.json", 1 << 16));
  EXPECT_EQ(config.at("r").as_int64(), 3);
  EXPECT_EQ(config.at("target_modules").as_array().size(), 7u);
  const auto bytes = *base::read_file(folder_ + "/adapter_model.safetensors", 1 << 22);
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  const auto header = *base::parse_json(bytes.substr(8, header_bytes));
  const std::map<std::string, std::string> names = {
      {"q", "self_attn.q_proj"}, {"k", "self_attn.k_proj"}, {"v", "self_attn.v_proj"},
      {"o", "self_attn.o_proj"}, {"gate", "mlp.gate_proj"}, {"up", "mlp.up_proj"},
      {"down", "mlp.down_proj"}};
  const auto other = open(kLlama, lora_);
  for (auto& parameter : other->parameters().all()) {
    if (!parameter.learns()) continue;
    const auto part = parameter.name.substr(9, parameter.name.find('.', 9) - 9);
    const auto name = "base_model.model.model.layers." + parameter.name.substr(7, 1) + "." +
                      names.at(part) +
                      (parameter.name.back() == 'a' ? ".lora_A.weight" : ".lora_B.weight");
    const auto& entry = header.at(name);
    EXPECT_EQ(entry.at("shape").at(0).as_int64(), parameter.rows);
    const auto begin = static_cast<std::size_t>(entry.at("data_offsets").at(0).as_int64());
    std::memcpy(parameter.value.data(), bytes.data() + 8 + header_bytes + begin,
                parameter.value.size() * sizeof(float));
  }
  EXPECT_LT(distance(logits(*other), logits(*adapted)), 1e-5);
}

// What transformers loads, of a GGUF file and of a folder.
TEST_F(AdapterTest, AFolderWithTheAdapterInItAnswersAsTheAdapterDid) {
  for (const auto& path : {kLlama + "/model.gguf", kLlama}) {
    const auto adapted = open(path, lora_);
    fill(*adapted);
    const auto base = *model::open_model(path);
    const auto made =
        model::merge_adapter(base->weights, trained_adapter(adapted->parameters(), lora_));
    const auto status =
        model::write_hf_folder(*base, made.weights, tensor::DType::f32, folder_ + "/hf");
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_LT(distance(logits(*open(folder_ + "/hf", {})), logits(*adapted)), 1e-5);
  }
}

TEST_F(AdapterTest, AFolderHasTheWeightsThatLearnt) {
  for (const std::string name : {"llama", "gpt2", "qwen2", "qwen3"}) {
    const auto path = kLlama + "/../" + name + "/model.gguf";
    const auto whole = open(path, {});
    fill(*whole);
    const auto base = *model::open_model(path);
    const auto made = whole_weights(whole->parameters(), base->weights);
    const auto status = model::write_hf_folder(*base, made, tensor::DType::f32, folder_ + "/hf");
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_LT(distance(logits(*open(folder_ + "/hf", {})), logits(*whole)), 1e-5) << name;
  }
}

// Whose rows are shorter than a block of Q4_K.
TEST_F(AdapterTest, ACopyTakesAnotherTypeWhereRowsDoNotDivide) {
  const auto nothing = [](std::int64_t, float*) {};
  const auto to = folder_ + "/out.gguf";
  const auto status = model::copy_gguf(
      {kLlama + "/model.gguf", to, {{"blk.0.attn_q.weight", nothing}}, tensor::DType::q4_k});
  ASSERT_TRUE(status.ok()) << status;
  const auto made = model::open_model(to);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ((*made)->weights.layers[0].q.dtype, tensor::DType::q5_0);
}

TEST_F(AdapterTest, ACopyThatCannotBeIsRefused) {
  const auto nothing = [](std::int64_t, float*) {};
  const auto copy = [&](const std::string& name, tensor::DType dtype) {
    return model::copy_gguf(
        {kLlama + "/model.gguf", folder_ + "/out.gguf", {{name, nothing}}, dtype});
  };
  EXPECT_TRUE(absl::IsNotFound(copy("blk.7.attn_q.weight", tensor::DType::f32)));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/out.gguf"));
  const auto gpt2 = source_dir() + "/tests/golden/architecture/gpt2/model.gguf";
  const auto adapted = open(gpt2, lora_);
  EXPECT_TRUE(absl::IsUnimplemented(write_merged_gguf(adapted->parameters(), lora_, gpt2,
                                                      tensor::DType::f32, folder_ + "/out.gguf")));
}

}  // namespace
}  // namespace plinth::train
