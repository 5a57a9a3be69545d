// Adapters whose weights are sealed content: what the library has of them, and what it leaves to
// whoever has the keys.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/file.h"
#include "cluster/adapter_install.h"
#include "cluster/model_export.h"
#include "store/sha256.h"

namespace plinth::cluster {
namespace {

namespace fs = std::filesystem;

class SealedAdapterTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "sealed_adapter_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    library_.emplace(*ModelLibrary::open(home_));
    const auto weights = *library_->add_blob("weights");
    ASSERT_TRUE(
        library_->install({"m", "m", "chat", "MIT", 1, {{"weights.bin", weights, 7}}}).ok());
  }
  void TearDown() override { fs::remove_all(home_); }
  InstalledModel install(const std::string& name, const std::string& sha256) {
    const auto made = install_sealed_adapter(
        *library_, {name, "m", "{\"r\": 2}", {"", sha256, 9, "content-" + name}, 5});
    EXPECT_TRUE(made.ok()) << made.status();
    return *made;
  }

  std::string home_;
  std::optional<ModelLibrary> library_;
};

TEST_F(SealedAdapterTest, IsInstalledWithoutItsWeights) {
  const auto made = install("a", std::string(64, 'c'));
  const auto found = *library_->find("a");
  ASSERT_NE(found.sealed(), nullptr);
  EXPECT_EQ(found.sealed()->content, "content-a");
  EXPECT_EQ(found.sealed()->path, "adapter_model.safetensors");
  EXPECT_EQ(found.content(), made.content());
  EXPECT_EQ(found.base, "m");
  EXPECT_EQ(found.license, "MIT");
  EXPECT_EQ(found.pulled_unix_s, 5);
  EXPECT_EQ(library_->blob_path(found, "adapter_model.safetensors"), "");
  EXPECT_TRUE(library_->verify(found, [](std::uint64_t) {}).ok()) << "of the rest";
  EXPECT_EQ(library_->find("m")->sealed(), nullptr);
  // Another run's weights are another adapter.
  EXPECT_NE(install("b", std::string(64, 'd')).content(), made.content());
}

TEST_F(SealedAdapterTest, NeedsABaseThatGenerates) {
  install("a", std::string(64, 'c'));
  const SealedAdapter over_adapter{"b", "a", "{}", {"", std::string(64, 'c'), 9, "x"}, 5};
  EXPECT_TRUE(absl::IsFailedPrecondition(install_sealed_adapter(*library_, over_adapter).status()));
  const SealedAdapter over_nothing{"b", "gone", "{}", {"", std::string(64, 'c'), 9, "x"}, 5};
  EXPECT_TRUE(absl::IsNotFound(install_sealed_adapter(*library_, over_nothing).status()));
}

// A blob may have the digest that stands there of a sealed file: it is another model's.
TEST_F(SealedAdapterTest, RemovingItLeavesWhatIsNotItsOwn) {
  const auto weights = library_->find("m")->files[0].sha256;
  const auto made = install("a", weights);
  const auto config = library_->blob_path(made, "adapter_config.json");
  ASSERT_TRUE(fs::exists(config));
  ASSERT_TRUE(library_->remove("m").ok());
  const auto other = *library_->add_blob("weights");
  ASSERT_EQ(other, weights);
  ASSERT_TRUE(library_->remove("a").ok());
  EXPECT_FALSE(fs::exists(config));
  EXPECT_TRUE(library_->blobs().has(weights));
}

TEST_F(SealedAdapterTest, LeavesTheHomePlain) {
  const auto made = install("a", std::string(64, 'c'));
  const auto nothing = [](std::uint64_t) {};
  EXPECT_TRUE(absl::IsFailedPrecondition(export_model(*library_, made, home_ + "/out", nothing)));
  EXPECT_FALSE(fs::exists(home_ + "/out"));
  std::string asked;
  const auto read = [&](const std::string& content) -> absl::StatusOr<base::FileBytes> {
    asked = content;
    return base::FileBytes(std::string("the plain"));
  };
  const auto exported = export_model(*library_, made, home_ + "/out", nothing, read);
  ASSERT_TRUE(exported.ok()) << exported;
  EXPECT_EQ(asked, "content-a");
  EXPECT_EQ(*base::read_file(home_ + "/out/adapter_model.safetensors", 100), "the plain");
  const auto outside = *read_manifest(home_ + "/out/manifest.toml");
  EXPECT_EQ(outside.sealed(), nullptr);
  EXPECT_EQ(outside.files[1].sha256, *store::sha256_file(home_ + "/out/adapter_model.safetensors"));
}

TEST_F(SealedAdapterTest, AsAWorkerFindsIt) {
  const auto made = install("a", std::string(64, 'c'));
  const auto open = [](const std::string& content) -> absl::StatusOr<SealedFile> {
    return SealedFile{"/sealed/" + content, "key"};
  };
  const auto ref = open_adapter_ref(*library_, made, open);
  ASSERT_TRUE(ref.ok()) << ref.status();
  EXPECT_EQ(ref->id, made.content());
  EXPECT_EQ(ref->path, "/sealed/content-a");
  EXPECT_EQ(ref->key, "key");
  EXPECT_EQ(*base::read_file(ref->config_path, 100), "{\"r\": 2}");
  EXPECT_TRUE(absl::IsFailedPrecondition(open_adapter_ref(*library_, made, nullptr).status()));
}

}  // namespace
}  // namespace plinth::cluster
