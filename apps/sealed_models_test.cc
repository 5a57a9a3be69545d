// Tuned models over a real base: sealed as content of their projects, and read again by a service,
// by a command of the home's owner, and from a backup.
#include "apps/sealed_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "apps/backup_models.h"
#include "apps/bench_adapters.h"
#include "apps/home_backup.h"
#include "apps/home_models.h"
#include "apps/tuned_models.h"
#include "base/file.h"
#include "governance/governance.h"
#include "governance/sealed_storage.h"
#include "model/model_file.h"
#include "tests/support/source_dir.h"

namespace plinth {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr char kName[] = "ft:tiny:default::1";

class SealedModelsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "sealed_models_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    home_ = folder_ + "/home";
    ASSERT_TRUE(base::make_folders(home_).ok());
    database_ = *store::Database::open(home_ + "/plinth.db");
    governance_ = *governance::Governance::open(home_, *database_, clock_);
    library_.emplace(*cluster::ModelLibrary::open(home_));
    add_base(*library_);
    sealed_.emplace(governance_->content());
    models_ = make_tuned_models(*library_, *sealed_, clock_);
    spec_ = (*model::open_model(library_->open_path(*library_->find("tiny"))))->spec;
    tuned_ = write_random_adapters(spec_, 1, 3, folder_ + "/random")->front();
    plain_ = *base::read_file(tuned_.path, 1u << 24);
    left_ = folder_ + "/left";
    ASSERT_TRUE(base::make_folders(left_).ok());
    fs::copy(tuned_.config_path, left_ + "/adapter_config.json");
    storage_ = *governance::SealedStorage::open(folder_, std::string(32, 'k'));
    ASSERT_TRUE(storage_->write(left_ + "/adapter_model.safetensors", plain_).ok());
  }
  void TearDown() override {
    governance_.reset();
    fs::remove_all(folder_);
  }
  static void add_base(const cluster::ModelLibrary& library) {
    const auto bytes =
        *base::read_file(source_dir() + "/tests/golden/model/tiny_llama.gguf", 1u << 26);
    const auto sha256 = *library.add_blob(bytes);
    ASSERT_TRUE(
        library.install({"tiny", "tiny", "chat", "MIT", 1, {{"tiny.gguf", sha256, bytes.size()}}})
            .ok());
  }
  absl::Status publish(const std::string& name = kName) {
    return models_->publish(
        {name, "default", "default", *models_->find("tiny"), left_, storage_.get()});
  }
  cluster::InstalledModel installed(const std::string& name = kName) {
    return *library_->find(name);
  }
  std::string content() { return installed().sealed()->content; }
  std::string sealed_path() { return sealed_->open(content())->path; }
  // Whether any file of the home has a run of the weights' bytes.
  bool lies_in_the_open() {
    const auto run = plain_.substr(plain_.size() / 2, 32);
    for (const auto& entry : fs::recursive_directory_iterator(home_)) {
      if (!entry.is_regular_file()) continue;
      const auto bytes = base::read_file(entry.path(), 1u << 28);
      if (bytes.ok() && bytes->find(run) != std::string::npos) return true;
    }
    return false;
  }

  base::RealClock clock_;
  std::string folder_, home_, left_, plain_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<governance::Governance> governance_;
  std::optional<cluster::ModelLibrary> library_;
  std::optional<SealedModels> sealed_;
  std::unique_ptr<cluster::TunedModels> models_;
  model::DecoderSpec spec_;
  protocol::AdapterRef tuned_;  // as it was learnt, plain
  std::unique_ptr<governance::SealedStorage> storage_;
};

TEST_F(SealedModelsTest, AreCallableAndNowhereInTheOpen) {
  ASSERT_TRUE(publish().ok());
  EXPECT_FALSE(lies_in_the_open());
  const auto row = *governance_->content().find(content());
  EXPECT_EQ(row.project, "default");
  EXPECT_EQ(row.kind, governance::kAdapterContent);
  const auto found = *models_->find(kName);
  EXPECT_EQ(found.name, "tiny");
  EXPECT_EQ(found.adapter.id, installed().content());
  const auto read = governance::read_sealed_file(found.adapter.path, found.adapter.key);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->text() == plain_);
  EXPECT_TRUE(sealed_->verify(content()).ok());
}

TEST_F(SealedModelsTest, ASecondTryIsTheSameModel) {
  ASSERT_TRUE(publish().ok());
  const auto first = installed();
  ASSERT_TRUE(publish().ok());
  EXPECT_EQ(installed().content(), first.content());
  // Other weights of that name are another one.
  plain_.back() ^= 1;
  ASSERT_TRUE(storage_->write(left_ + "/adapter_model.safetensors", plain_).ok());
  ASSERT_TRUE(publish().ok());
  EXPECT_NE(installed().content(), first.content());
  EXPECT_TRUE(sealed_->read(content())->text() == plain_);
}

TEST_F(SealedModelsTest, WhatDoesNotFitIsNotKept) {
  ASSERT_TRUE(storage_->write(left_ + "/adapter_model.safetensors", "no tensors").ok());
  EXPECT_FALSE(publish().ok());
  EXPECT_FALSE(library_->find(kName).ok());
  EXPECT_TRUE(governance_->content().list({"default", "", ""}, {})->rows.empty());
}

TEST_F(SealedModelsTest, GoWithTheirWeights) {
  ASSERT_TRUE(publish().ok());
  const auto path = sealed_path();
  const auto id = content();
  ASSERT_TRUE(models_->remove(kName).ok());
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(absl::IsNotFound(governance_->content().find(id).status()));
  EXPECT_TRUE(absl::IsNotFound(models_->find(kName).status()));
}

TEST_F(SealedModelsTest, ALegalHoldKeepsThem) {
  ASSERT_TRUE(publish().ok());
  governance::RetentionSetting hold;
  hold.legal_hold = true;
  ASSERT_TRUE(governance_->retention().set_project("default", hold).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(models_->remove(kName)));
  EXPECT_TRUE(absl::IsFailedPrecondition(HomeModels(home_, *library_).remove(installed())));
  EXPECT_TRUE(models_->find(kName).ok());
}

TEST_F(SealedModelsTest, ShreddingMakesThemUnreadableAtOnce) {
  ASSERT_TRUE(publish().ok());
  ASSERT_TRUE(governance_->vault().shred("default", "default").ok());
  const auto status = models_->find(kName).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("keys of their project were destroyed"));
  EXPECT_FALSE(publish().ok());
  governance::ContentSweep done;
  ASSERT_TRUE(governance_->content().sweep(done).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(models_->find(kName).status()));
  EXPECT_TRUE(models_->remove(kName).ok()) << "what is left of it can be removed";
}

TEST_F(SealedModelsTest, NewKeysChangeNoModel) {
  ASSERT_TRUE(publish().ok());
  const auto before = *models_->find(kName);
  ASSERT_TRUE(governance_->vault().renew_keys("default", "").ok());
  governance::ContentSweep done;
  ASSERT_TRUE(governance_->content().sweep(done).ok());
  EXPECT_GE(done.resealed, 1u);
  const auto after = *models_->find(kName);
  EXPECT_EQ(after.adapter.id, before.adapter.id);
  EXPECT_NE(after.adapter.key, before.adapter.key);
  EXPECT_TRUE(absl::IsAborted(
      governance::read_sealed_file(after.adapter.path, before.adapter.key).status()));
  EXPECT_TRUE(governance::read_sealed_file(after.adapter.path, after.adapter.key)->text() ==
              plain_);
  EXPECT_TRUE(sealed_->verify(content()).ok());
}

TEST_F(SealedModelsTest, DamageIsFound) {
  ASSERT_TRUE(publish().ok());
  auto bytes = *base::read_file(sealed_path(), 1u << 24);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(base::write_file_atomic(sealed_path(), bytes, 0600).ok());
  EXPECT_TRUE(absl::IsDataLoss(sealed_->verify(content())));
}

// Beside a service that has the home.
TEST_F(SealedModelsTest, ACommandReadsThemWithTheHomesKeys) {
  ASSERT_TRUE(publish().ok());
  HomeModels command(home_, *library_);
  const auto adapter = command.open(installed(), spec_);
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  const auto expected = *model::open_adapter({tuned_.path, tuned_.config_path}, spec_);
  ASSERT_EQ(adapter->parts.size(), expected.parts.size());
  EXPECT_TRUE(adapter->parts[0].a == expected.parts[0].a);
  fs::rename(home_ + "/secrets/master_key", home_ + "/elsewhere");
  const auto refused = HomeModels(home_, *library_).open(installed(), spec_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_FALSE(fs::exists(home_ + "/secrets/master_key")) << "no new one is made";
  fs::rename(home_ + "/elsewhere", home_ + "/secrets/master_key");
  ASSERT_TRUE(HomeModels(home_, *library_).remove(installed()).ok());
  EXPECT_FALSE(library_->find(kName).ok());
  EXPECT_TRUE(governance_->content().list({"default", "", ""}, {})->rows.empty());
}

TEST_F(SealedModelsTest, ABackupBringsThemBackCallable) {
  ASSERT_TRUE(publish().ok());
  const auto data = folder_ + "/data", secrets = folder_ + "/secrets", keys = folder_ + "/keys";
  const auto made = make_backup(home_, {data, true, 7});
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->models.size(), 1u) << "the base, to be pulled again";
  ASSERT_TRUE(make_key_backup(home_, keys).ok());
  ASSERT_TRUE(make_secrets_backup(home_, secrets, 7).ok());
  const auto other = folder_ + "/other";
  ASSERT_TRUE(base::make_folders(other).ok());
  const auto restored = restore_home(other, {data, secrets, keys, "", ""});
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->tuned_models, 1u);
  const auto library = *cluster::ModelLibrary::open(other);
  const auto database = *store::Database::open(other + "/plinth.db");
  const auto governance = *governance::Governance::open(other, *database, clock_);
  SealedModels sealed(governance->content());
  const auto models = make_tuned_models(library, sealed, clock_);
  EXPECT_TRUE(absl::IsFailedPrecondition(models->find(kName).status())) << "without its base";
  add_base(library);
  const auto found = models->find(kName);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->adapter.id, installed().content());
  EXPECT_TRUE(governance::read_sealed_file(found->adapter.path, found->adapter.key)->text() ==
              plain_);
  EXPECT_THAT(*base::read_file(found->adapter.config_path, 1u << 20), HasSubstr("LORA"));
}

TEST_F(SealedModelsTest, WhatABackupSaysStaysInItsFolder) {
  ASSERT_TRUE(publish().ok());
  auto list = *list_tuned_models(*library_);
  ASSERT_TRUE(parse_tuned_models(list).ok());
  const auto at = list.find("adapter_model.safetensors");
  ASSERT_NE(at, std::string::npos);
  auto outside = list;
  outside.replace(at, 3, "../");
  EXPECT_TRUE(absl::IsInvalidArgument(parse_tuned_models(outside).status()));
  auto changed = list;
  changed.replace(changed.find("LORA"), 4, "lora");
  EXPECT_TRUE(absl::IsDataLoss(parse_tuned_models(changed).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(parse_tuned_models("[]").status()));
}

}  // namespace
}  // namespace plinth
