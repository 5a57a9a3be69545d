#include "model/suggested_sampling.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "model/gguf_writer.h"

namespace plinth::model {
namespace {

using Suggestions = std::map<std::string, double, std::less<>>;

class SuggestedSampling : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(base::make_folders(folder_).ok()); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, std::string_view text) const {
    ASSERT_TRUE(base::write_file_atomic(folder_ + "/" + name, text).ok());
  }
  const std::string folder_ =
      ::testing::TempDir() + "/plinth_suggested_sampling_" + std::to_string(::getpid());
};

TEST_F(SuggestedSampling, IsTheFoldersGenerationConfig) {
  EXPECT_EQ(*suggested_sampling(folder_), Suggestions());
  write(
      "generation_config.json",
      R"({"do_sample": true, "temperature": 0.7, "top_k": 20, "top_p": null, "eos_token_id": 1})");
  EXPECT_EQ(*suggested_sampling(folder_), (Suggestions{{"temperature", 0.7}, {"top_k", 20}}));
  write("generation_config.json", "[");
  const auto status = suggested_sampling(folder_).status();
  EXPECT_NE(base::message(status).find("generation_config.json"), std::string_view::npos) << status;
}

TEST_F(SuggestedSampling, IsTheFilesSamplingFields) {
  GgufWriter writer;
  writer.set("general.architecture", "llama");
  writer.set("general.sampling.temp", 0.2f);
  writer.set("general.sampling.top_k", std::uint32_t{40});
  writer.set("general.sampling.penalty_repeat", 1.05f);
  writer.set("general.sampling.mirostat", std::uint32_t{2});
  const std::string path = folder_ + "/m.gguf";
  writer.add("t", tensor::DType::f32, 0, 1,
             [](std::int64_t, std::int64_t, std::uint8_t* out) { std::fill_n(out, 4, 0); });
  ASSERT_TRUE(writer.write(path, nullptr).ok());
  const auto found = suggested_sampling(path);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found,
            (Suggestions{{"temperature", 0.2}, {"top_k", 40}, {"repetition_penalty", 1.05}}));
}

}  // namespace
}  // namespace plinth::model
