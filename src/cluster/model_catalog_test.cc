#include "cluster/model_catalog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"

namespace plinth::cluster {
namespace {

namespace fs = std::filesystem;

class LocalModel : public ::testing::Test {
 protected:
  LocalModel()
      : folder_(::testing::TempDir() + "/plinth_catalog_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(folder_);
  }
  ~LocalModel() override { fs::remove_all(folder_); }
  void write(const std::string& path) {
    const std::string whole = folder_ + "/" + path;
    ASSERT_TRUE(base::make_folders(fs::path(whole).parent_path().string()).ok());
    ASSERT_TRUE(base::write_file_atomic(whole, path).ok());
  }
  static std::vector<std::string> paths(const CatalogModel& model) {
    std::vector<std::string> out;
    for (const auto& file : model.files) out.push_back(file.path);
    std::sort(out.begin(), out.end());
    return out;
  }
  const std::string folder_;
};

TEST_F(LocalModel, ASplitFileBringsItsShards) {
  for (const char* name : {"M-00001-of-00003.gguf", "M-00002-of-00003.gguf",
                           "M-00003-of-00003.gguf", "N-00002-of-00003.gguf"}) {
    write(name);
  }
  const auto model = resolve_model(folder_ + "/M-00001-of-00003.gguf");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name, "m");
  EXPECT_EQ(paths(*model),
            (std::vector<std::string>{"M-00001-of-00003.gguf", "M-00002-of-00003.gguf",
                                      "M-00003-of-00003.gguf"}));
  fs::remove(folder_ + "/M-00002-of-00003.gguf");
  const auto missing = resolve_model(folder_ + "/M-00001-of-00003.gguf");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(base::message(missing.status()).find("M-00002-of-00003.gguf"), std::string_view::npos);
}

TEST_F(LocalModel, AFolderLeavesPickledWeightsAndHiddenFilesBehind) {
  for (const char* name : {"config.json", "model.safetensors", "1_Pooling/config.json",
                           "pytorch_model.bin", ".git/config", "onnx/model.onnx"}) {
    write(name);
  }
  const auto model = resolve_model(folder_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(paths(*model), (std::vector<std::string>{"1_Pooling/config.json", "config.json",
                                                     "model.safetensors"}));
  fs::remove(folder_ + "/model.safetensors");
  const auto pickled = resolve_model(folder_);
  EXPECT_EQ(pickled.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(base::message(pickled.status()).find(".safetensors"), std::string_view::npos);
}

}  // namespace
}  // namespace plinth::cluster
