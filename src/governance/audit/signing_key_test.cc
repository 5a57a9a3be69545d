#include "governance/audit/signing_key.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/escaping.h"
#include "base/file.h"

namespace plinth::governance {
namespace {

class SigningKeyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "signing_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(home_); }
  std::string home_;
};

TEST_F(SigningKeyTest, IsMadeOnceAndItsOwnersAlone) {
  EXPECT_TRUE(absl::IsNotFound(read_home_key(home_).status()));
  const auto made = *SigningKey::open(home_);
  struct stat info {};
  ASSERT_EQ(::stat((home_ + "/secrets/audit_key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(SigningKey::open(home_)->verifying().id(), made.verifying().id());
  EXPECT_EQ(read_home_key(home_)->pem(), made.verifying().pem());
  EXPECT_NE(SigningKey::make()->verifying().id(), made.verifying().id());
}

TEST_F(SigningKeyTest, VerifiesItsOwnSignaturesAlone) {
  const auto key = *SigningKey::make();
  const auto again = *VerifyingKey::parse(key.verifying().pem());
  EXPECT_EQ(again.id(), key.verifying().id());
  auto signature = key.sign("text");
  EXPECT_TRUE(again.verify("text", signature));
  EXPECT_FALSE(again.verify("texT", signature));
  EXPECT_FALSE(SigningKey::make()->verifying().verify("text", signature));
  EXPECT_FALSE(again.verify("text", signature.substr(1)));
  EXPECT_FALSE(again.verify("text", ""));
  signature[7] = static_cast<char>(signature[7] ^ 1);
  EXPECT_FALSE(again.verify("text", signature));
}

// RFC 8032, section 7.1, test 1.
TEST_F(SigningKeyTest, IsEd25519) {
  const auto key = VerifyingKey::parse(
      "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
      "-----END PUBLIC KEY-----\n");
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_TRUE(key->verify(
      "",
      absl::HexStringToBytes("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                             "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")));
}

TEST_F(SigningKeyTest, RefusesWhatIsNone) {
  EXPECT_FALSE(VerifyingKey::parse("").ok());
  EXPECT_FALSE(VerifyingKey::parse(std::string(10'000, 'x')).ok());
  ASSERT_TRUE(base::make_folders(home_ + "/secrets").ok());
  ASSERT_TRUE(base::write_file_atomic(home_ + "/secrets/audit_key", "nothing", 0600).ok());
  const auto damaged = SigningKey::open(home_);
  EXPECT_EQ(damaged.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace plinth::governance
