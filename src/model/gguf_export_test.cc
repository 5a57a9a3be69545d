#include "model/gguf_export.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "model/gguf/stored_type.h"
#include "model/testing/same_model.h"
#include "model/tokenize/families.h"
#include "model/tokenize/tokenizer_json.h"
#include "tests/support/source_dir.h"

namespace plinth::model {
namespace {

using tensor::DType;

// Golden folders, and GGUF files that llama.cpp's converter made of them.
const std::string kGolden = source_dir() + "/tests/golden/";

class GgufExportOf : public ::testing::TestWithParam<const char*> {
 protected:
  ~GgufExportOf() override { std::filesystem::remove(path_); }
  const std::string folder_ = kGolden + "architecture/" + GetParam();
  const std::string path_ = ::testing::TempDir() + "/plinth_gguf_export_" + GetParam() + ".gguf";
};

TEST_P(GgufExportOf, WritesAFolderAsTheConverterDoes) {
  const auto folder = open_model(folder_), expected = open_model(folder_ + "/model.gguf");
  ASSERT_TRUE(folder.ok() && expected.ok()) << folder.status() << expected.status();
  const auto status = write_gguf(**folder, (*folder)->weights, {DType::f32, DType::f32}, path_);
  ASSERT_TRUE(status.ok()) << status;
  const auto written = open_model(path_);
  ASSERT_TRUE(written.ok()) << written.status();
  expect_same_spec((*written)->spec, (*expected)->spec);
  expect_same_weights((*written)->weights, (*expected)->weights);
  expect_same_tokens((*written)->tokenizer, (*folder)->tokenizer);
  EXPECT_EQ((*written)->chat_template, (*folder)->chat_template);
}

std::string name_of(const ::testing::TestParamInfo<const char*>& golden) { return golden.param; }

INSTANTIATE_TEST_SUITE_P(Golden, GgufExportOf,
                         ::testing::Values("llama", "llama_linear", "llama_llama3", "qwen2",
                                           "qwen3", "gpt2"),
                         name_of);

TEST(GgufExport, StoresMatricesInTheTypeThatWasAskedFor) {
  const auto folder = open_model(kGolden + "architecture/llama");
  ASSERT_TRUE(folder.ok()) << folder.status();
  const auto path = ::testing::TempDir() + "/plinth_gguf_export.gguf";
  const auto status = write_gguf(**folder, (*folder)->weights, {DType::q4_k, DType::q8_0}, path);
  ASSERT_TRUE(status.ok()) << status;
  const auto written = open_model(path);
  ASSERT_TRUE(written.ok()) << written.status();
  const auto& weights = (*written)->weights;
  EXPECT_EQ(weights.embedding.dtype, stored_type(DType::q8_0, weights.embedding.columns));
  EXPECT_EQ(weights.layers[0].q.dtype, stored_type(DType::q4_k, weights.layers[0].q.columns));
  EXPECT_EQ(weights.layers[0].down.dtype, stored_type(DType::q4_k, weights.layers[0].down.columns));
  std::filesystem::remove(path);
}

TEST(GgufExport, NamesWhatItCannotWrite) {
  for (const char* golden : {"gemma2", "mixtral", "phi3", "mistral", "qwen2_window", "smollm3"}) {
    const auto folder = open_model(kGolden + "architecture/" + golden);
    ASSERT_TRUE(folder.ok()) << folder.status();
    const auto path = ::testing::TempDir() + "/plinth_gguf_export_none.gguf";
    const auto status = write_gguf(**folder, (*folder)->weights, {}, path);
    EXPECT_TRUE(absl::IsUnimplemented(status)) << golden << status;
    EXPECT_FALSE(std::filesystem::exists(path));
  }
}

TEST(StoredType, TakesAnotherTypeWhereRowsDoNotDivide) {
  EXPECT_EQ(stored_type(DType::q4_k, 512), DType::q4_k);
  EXPECT_EQ(stored_type(DType::q4_k, 576), DType::q5_0);
  EXPECT_EQ(stored_type(DType::q5_k, 576), DType::q5_1);
  EXPECT_EQ(stored_type(DType::q6_k, 576), DType::q8_0);
  EXPECT_EQ(stored_type(DType::q2_k, 576), DType::iq4_nl);
  EXPECT_EQ(stored_type(DType::q8_0, 576), DType::q8_0);
  EXPECT_EQ(stored_type(DType::q4_k, 100), DType::f16);
  EXPECT_EQ(stored_type(DType::f32, 100), DType::f32);
}

// Of tokenizers that say their stages and no name. DeepSeek's spell in characters what the families
// spell in numbers.
TEST(TokenizerFamily, IsFoundByItsStages) {
  const std::pair<const char*, const char*> kNames[] = {
      {"gpt2", "gpt-2"},      {"llama3", "llama-bpe"}, {"qwen2", "qwen2"},
      {"qwen35", "qwen35"},   {"gpt-4o", "gpt-4o"},    {"tekken", "tekken"},
      {"deepseek-coder", ""}, {"llama2", ""},          {"gemma", ""}};
  for (const auto& [file, name] : kNames) {
    const auto text = base::read_file(kGolden + "tokenizer/" + file + ".json", 64u << 20);
    ASSERT_TRUE(text.ok()) << text.status();
    const auto spec = parse_tokenizer_json(*text);
    ASSERT_TRUE(spec.ok()) << file << spec.status();
    EXPECT_EQ(family_of(*spec), name) << file;
  }
}

}  // namespace
}  // namespace plinth::model
