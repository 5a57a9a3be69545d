#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/adapter/adapter_formats.h"
#include "model/adapter/peft_config.h"
#include "model/adapter_file.h"
#include "model/testing/adapter_base.h"

namespace plinth::model {
namespace {

// Tensors with the numbers that the test gives them.
class Tensors {
 public:
  void add(const std::string& name, std::int64_t rows, std::int64_t columns,
           std::vector<float> values = {}) {
    values.resize(static_cast<std::size_t>(rows * columns), 0.5f);
    const auto& kept = kept_.emplace_back(std::move(values));
    const auto* data = reinterpret_cast<const std::uint8_t*>(kept.data());
    SafetensorsTensor tensor;
    tensor.type = "F32";
    tensor.dtype = tensor::DType::f32;
    tensor.shape = {rows, columns};
    tensor.data = data;
    peft[name] = tensor;
    GgufTensor stored;
    stored.dims = {columns, rows};
    stored.data = data;
    gguf.tensors[name] = stored;
  }
  SafetensorsTable peft;
  Gguf gguf;

 private:
  std::vector<std::vector<float>> kept_;
};

const std::string kLayer = "base_model.model.model.layers.0.";

base::json::object config_with(const std::string& extra = "") {
  const auto text = R"({"peft_type": "LORA", "r": 2, "lora_alpha": 8, "bias": "none",
      "base_model_name_or_path": "my-base", "target_modules": ["q_proj", "down_proj"])" +
                    extra + "}";
  return base::parse_json(text)->as_object();
}

Tensors query(std::vector<float> b = {}) {
  Tensors tensors;
  tensors.add(kLayer + "self_attn.q_proj.lora_A.weight", 2, 8);
  tensors.add(kLayer + "self_attn.q_proj.lora_B.weight", 8, 2, std::move(b));
  return tensors;
}

std::string refusal(const base::json::object& config, const Tensors& tensors) {
  const auto file = read_peft_adapter(config, tensors.peft, small_adapter_base());
  EXPECT_FALSE(file.ok());
  return std::string(base::message(file.status()));
}

void expect_says(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(PeftAdapter, HasItsFactorInB) {
  const auto plain = read_peft_adapter(config_with(), query().peft, small_adapter_base());
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_EQ(plain->parts.size(), 1u);
  EXPECT_EQ(plain->base_name, "my-base");
  EXPECT_EQ(plain->parts[0].matrix, AdaptedMatrix::q);
  EXPECT_EQ(plain->parts[0].rank, 2);
  EXPECT_FLOAT_EQ(plain->parts[0].b[0], 0.5f * 8 / 2);
  EXPECT_FLOAT_EQ(plain->parts[0].a[0], 0.5f);
  const auto root =
      read_peft_adapter(config_with(R"(, "use_rslora": true)"), query().peft, small_adapter_base());
  EXPECT_FLOAT_EQ(root->parts[0].b[0], 0.5f * 8 / std::sqrt(2.0f));
}

// Row r of Hugging Face's halves is (r < half ? 2 r : 2 (r - half) + 1) of neighbouring pairs.
TEST(PeftAdapter, RowsOfQueriesAreInTheBasesOrder) {
  std::vector<float> b;
  for (int row = 0; row < 8; ++row) b.insert(b.end(), 2, static_cast<float>(row) / 4);
  const auto first = [](const AdapterFile& file) {
    std::vector<int> rows;
    for (int row = 0; row < 8; ++row) {
      rows.push_back(static_cast<int>(file.parts[0].b[static_cast<std::size_t>(row) * 2]));
    }
    return rows;
  };
  const auto halves = read_peft_adapter(config_with(), query(b).peft, small_adapter_base(true));
  EXPECT_EQ(first(*halves), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  const auto pairs = read_peft_adapter(config_with(), query(b).peft, small_adapter_base(false));
  EXPECT_EQ(first(*pairs), (std::vector<int>{0, 2, 1, 3, 4, 6, 5, 7}));
}

TEST(PeftAdapter, WhatIsNoPlainAdapterIsRefusedByName) {
  for (const auto& [extra, names] : std::vector<std::pair<std::string, std::string>>{
           {R"(, "use_dora": true)", "use_dora"},
           {R"(, "fan_in_fan_out": true)", "fan_in_fan_out"},
           {R"(, "modules_to_save": ["lm_head"])", "modules_to_save"},
           {R"(, "rank_pattern": {"q_proj": 4})", "rank_pattern"},
           {R"(, "alpha_pattern": {"q_proj": 4})", "alpha_pattern"},
       }) {
    const auto file = read_peft_adapter(config_with(extra), query().peft, small_adapter_base());
    EXPECT_TRUE(absl::IsUnimplemented(file.status())) << names;
    expect_says(std::string(base::message(file.status())), {names.c_str()});
  }
  auto config = config_with();
  config["bias"] = "all";
  expect_says(refusal(config, query()), {"bias is all"});
  config = config_with();
  config["target_modules"] = ".*_proj";
  expect_says(refusal(config, query()), {"target_modules", ".*_proj", "a list"});
  config = config_with();
  config["peft_type"] = "IA3";
  expect_says(refusal(config, query()), {"IA3"});
}

TEST(PeftAdapter, ErrorsNameTheTensorAndBothShapes) {
  auto tensors = query();
  tensors.add(kLayer + "mlp.down_proj.lora_A.weight", 2, 8);
  expect_says(refusal(config_with(), tensors),
              {"mlp.down_proj.lora_A.weight is [2, 8]", "wants [rank, 12]"});
  Tensors alone;
  alone.add(kLayer + "self_attn.q_proj.lora_A.weight", 2, 8);
  expect_says(refusal(config_with(), alone), {"q_proj.lora_A.weight is alone", "B is missing"});
  Tensors ranks;
  ranks.add(kLayer + "self_attn.q_proj.lora_A.weight", 2, 8);
  ranks.add(kLayer + "self_attn.q_proj.lora_B.weight", 8, 3);
  expect_says(refusal(config_with(), ranks), {"has rank 2", "has 3"});
  auto config = config_with();
  config["r"] = 4;
  expect_says(refusal(config, query()), {"rank 2", "r 4"});
  Tensors deep;
  deep.add("base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight", 2, 8);
  expect_says(refusal(config_with(), deep), {"layers.2.", "layer 2 is adapted", "has 2"});
  auto head = query();
  head.add("base_model.model.lm_head.lora_A.weight", 2, 8);
  expect_says(refusal(config_with(), head), {"lm_head.lora_A.weight"});
  Tensors other;
  other.add(kLayer + "self_attn.k_proj.lora_A.weight", 2, 8);
  expect_says(refusal(config_with(), other), {"k_proj is not among target_modules"});
  expect_says(refusal(config_with(), {}), {"adapts no matrix"});
}

TEST(PeftAdapter, NumbersThatAreNotFiniteAreRefused) {
  expect_says(refusal(config_with(), query({1, std::nanf("")})), {"lora_B", "number 1"});
  const auto infinite = std::numeric_limits<float>::infinity();
  expect_says(refusal(config_with(), query({infinite})), {"not finite"});
  expect_says(refusal(config_with(), query({3e38f})), {"times the factor 4"});
}

TEST(PeftAdapter, ExpertsAreRefused) {
  auto base = small_adapter_base();
  base.layer[0].experts = true;
  Tensors tensors;
  tensors.add(kLayer + "mlp.down_proj.lora_A.weight", 2, 12);
  const auto file = read_peft_adapter(config_with(), tensors.peft, base);
  EXPECT_TRUE(absl::IsUnimplemented(file.status())) << file.status();
}

Tensors gguf_query(std::vector<float> b = {}) {
  Tensors tensors;
  tensors.add("blk.0.attn_q.weight.lora_a", 2, 8);
  tensors.add("blk.0.attn_q.weight.lora_b", 8, 2, std::move(b));
  auto& metadata = tensors.gguf.metadata;
  metadata["general.type"] = std::string_view("adapter");
  metadata["general.architecture"] = std::string_view("llama");
  metadata["adapter.type"] = std::string_view("lora");
  metadata["adapter.lora.alpha"] = 8.0;
  return tensors;
}

TEST(GgufAdapter, IsReadAsLlamaCppWritesIt) {
  std::vector<float> b;
  for (int row = 0; row < 8; ++row) b.insert(b.end(), 2, static_cast<float>(row) / 4);
  const auto tensors = gguf_query(b);
  const auto same = read_gguf_adapter(tensors.gguf, small_adapter_base(false));
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_FLOAT_EQ(same->parts[0].b[2], 1) << "the factor is 8 / 2, and rows stay";
  EXPECT_FLOAT_EQ(same->parts[0].b[4], 2);
  const auto halves = read_gguf_adapter(tensors.gguf, small_adapter_base(true));
  EXPECT_FLOAT_EQ(halves->parts[0].b[2], 2) << "the permutation is undone";
  EXPECT_FLOAT_EQ(halves->parts[0].b[4], 1);
  auto without = gguf_query();
  without.gguf.metadata["adapter.lora.alpha"] = 0.0;
  EXPECT_FLOAT_EQ(read_gguf_adapter(without.gguf, small_adapter_base())->parts[0].b[0], 0.5f);
}

TEST(GgufAdapter, AnotherArchitectureKindOrTensorIsRefused) {
  auto tensors = gguf_query();
  tensors.gguf.metadata["general.architecture"] = std::string_view("qwen2");
  expect_says(read_gguf_adapter(tensors.gguf, small_adapter_base()).status().ToString(),
              {"qwen2", "the base is \"llama\""});
  tensors = gguf_query();
  tensors.gguf.metadata["adapter.type"] = std::string_view("control");
  EXPECT_TRUE(
      absl::IsUnimplemented(read_gguf_adapter(tensors.gguf, small_adapter_base()).status()));
  tensors = gguf_query();
  tensors.gguf.metadata["general.type"] = std::string_view("model");
  EXPECT_FALSE(read_gguf_adapter(tensors.gguf, small_adapter_base()).ok());
  tensors = gguf_query();
  tensors.gguf.metadata["adapter.lora.alpha"] = std::nan("");
  EXPECT_FALSE(read_gguf_adapter(tensors.gguf, small_adapter_base()).ok());
  tensors = gguf_query();
  tensors.add("token_embd.weight.lora_a", 2, 8);
  expect_says(read_gguf_adapter(tensors.gguf, small_adapter_base()).status().ToString(),
              {"token_embd.weight.lora_a"});
}

}  // namespace
}  // namespace plinth::model
