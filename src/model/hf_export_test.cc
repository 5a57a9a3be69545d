#include "model/hf_export.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "model/decoder/rope_scaling.h"
#include "model/hf/hf_config_writer.h"
#include "model/testing/same_model.h"
#include "tests/support/source_dir.h"

namespace plinth::model {
namespace {

// Golden folders and GGUF files of one model each (tests/golden/architecture).
const std::string kGolden = source_dir() + "/tests/golden/architecture/";

class HfExportOf : public ::testing::TestWithParam<const char*> {
 protected:
  ~HfExportOf() override { std::filesystem::remove_all(folder_); }
  const std::string folder_ = ::testing::TempDir() + "/plinth_hf_export_" + GetParam();
};

class HfExportOfFolder : public HfExportOf {};

TEST_P(HfExportOf, WritesAGgufFileAsTheFolderItWasMadeFrom) {
  const auto file = open_model(kGolden + GetParam() + "/model.gguf");
  const auto expected = open_model(kGolden + GetParam());
  ASSERT_TRUE(file.ok() && expected.ok()) << file.status() << expected.status();
  const auto status = write_hf_folder(**file, (*file)->weights, tensor::DType::f32, folder_);
  ASSERT_TRUE(status.ok()) << status;
  const auto written = open_model(folder_);
  ASSERT_TRUE(written.ok()) << written.status();
  expect_same_spec((*written)->spec, (*expected)->spec);
  expect_same_weights((*written)->weights, (*expected)->weights);
  expect_same_tokens((*written)->tokenizer, (*file)->tokenizer);
}

TEST_P(HfExportOfFolder, WritesItAsItIs) {
  const auto file = open_model(kGolden + GetParam());
  ASSERT_TRUE(file.ok()) << file.status();
  const auto status = write_hf_folder(**file, (*file)->weights, tensor::DType::bf16, folder_);
  ASSERT_TRUE(status.ok()) << status;
  const auto written = open_model(folder_);
  ASSERT_TRUE(written.ok()) << written.status();
  expect_same_spec((*written)->spec, (*file)->spec);
  expect_same_weights((*written)->weights, (*file)->weights);
  expect_same_tokens((*written)->tokenizer, (*file)->tokenizer);
  EXPECT_EQ((*written)->chat_template, (*file)->chat_template);
}

std::string name_of(const ::testing::TestParamInfo<const char*>& golden) { return golden.param; }

INSTANTIATE_TEST_SUITE_P(Golden, HfExportOf,
                         ::testing::Values("llama", "llama_linear", "qwen2", "qwen3", "gpt2"),
                         name_of);
// With what GGUF cannot say, or has no golden file of.
INSTANTIATE_TEST_SUITE_P(Golden, HfExportOfFolder,
                         ::testing::Values("llama", "llama_linear", "llama_llama3", "mistral",
                                           "qwen2", "qwen3", "gpt2"),
                         name_of);

// As GGUF has it: divisors, which are those of the releases or cannot be told.
TEST(HfExport, FindsLlama3sScalingInItsDivisors) {
  const auto file = open_model(kGolden + "llama");
  ASSERT_TRUE(file.ok()) << file.status();
  for (const double factor : {32.0, 7.0}) {
    auto spec = (*file)->spec;
    RopeScaling llama3;
    llama3.kind = "llama3";
    llama3.factor = factor;
    llama3.original_context = 8192;
    ASSERT_TRUE(set_rope_frequencies(5e5, llama3, {}, spec.context, spec.rope).ok());
    spec.rope.scaling = {};
    const auto config = hf_config(spec, (*file)->weights, (*file)->tokenizer, tensor::DType::bf16);
    if (factor == 7) {
      EXPECT_TRUE(absl::IsUnimplemented(config.status())) << config.status();
      continue;
    }
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->at("rope_theta"), 5e5);
    EXPECT_EQ(config->at("rope_scaling").at("factor"), factor);
  }
}

TEST(HfExport, NamesWhatItCannotWrite) {
  for (const char* golden : {"gemma2", "mixtral", "phi3", "qwen2_window"}) {
    const auto file = open_model(kGolden + golden);
    ASSERT_TRUE(file.ok()) << file.status();
    const auto folder = ::testing::TempDir() + "/plinth_hf_export_none";
    const auto status = write_hf_folder(**file, (*file)->weights, tensor::DType::f32, folder);
    EXPECT_TRUE(absl::IsUnimplemented(status)) << golden << status;
    EXPECT_NE(base::message(status).find((*file)->spec.architecture), std::string::npos) << status;
    EXPECT_FALSE(std::filesystem::exists(folder));
  }
}

}  // namespace
}  // namespace plinth::model
