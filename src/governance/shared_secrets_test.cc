#include "governance/shared_secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/file.h"
#include "governance/governance.h"
#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SharedSecretsTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    scratch_ = *store::ScratchDatabase::make(GetParam());
    database_ = *store::Database::open(scratch_->where());
    for (auto* home : {&first_, &second_}) {
      std::string pattern = testing::TempDir() + "secrets_XXXXXX";
      *home = ::mkdtemp(pattern.data());
    }
  }
  void TearDown() override {
    fs::remove_all(first_);
    fs::remove_all(second_);
  }
  absl::Status check(const std::string& home) {
    return check_shared_secrets(home, *database_, clock_);
  }
  void copy(const std::string& name) {
    fs::copy_file(first_ + "/secrets/" + name, second_ + "/secrets/" + name,
                  fs::copy_options::overwrite_existing);
  }

  std::string first_, second_;  // homes
  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
};

INSTANTIATE_TEST_SUITE_P(Governance, SharedSecretsTest,
                         testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(SharedSecretsTest, ASecondGatewayNeedsTheFirstOnes) {
  ASSERT_TRUE(check(first_).ok());
  EXPECT_TRUE(check(first_).ok()) << "again";
  const auto refused = check(second_);
  ASSERT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  const std::string words(base::message(refused));
  EXPECT_THAT(words, HasSubstr("audit_key, pepper, session_key differ"));
  EXPECT_THAT(words, HasSubstr(second_ + "/secrets"));
  // Nothing of the gateway that is there was changed.
  EXPECT_TRUE(check(first_).ok());
  for (const char* name : {"master_key", "audit_key", "session_key"}) copy(name);
  // A pepper of another master key.
  EXPECT_FALSE(check(second_).ok());
  copy("pepper");
  EXPECT_TRUE(check(second_).ok()) << check(second_);
}

TEST_P(SharedSecretsTest, NamesWhatDiffers) {
  ASSERT_TRUE(check(first_).ok());
  ASSERT_FALSE(check(second_).ok());
  for (const char* name : {"master_key", "audit_key", "pepper", "session_key"}) copy(name);
  ASSERT_TRUE(check(second_).ok());
  ASSERT_TRUE(fs::remove(second_ + "/secrets/session_key"));
  const auto refused = check(second_);
  EXPECT_THAT(std::string(base::message(refused)), HasSubstr(": session_key differ"));
}

// A whole gateway is refused before it signs or writes anything.
TEST_P(SharedSecretsTest, AGatewayWithOthersDoesNotStart) {
  {
    auto one = Governance::open(first_, *database_, clock_);
    ASSERT_TRUE(one.ok()) << one.status();
    ASSERT_TRUE((*one)->first_start().ok());
  }
  const auto other = Governance::open(second_, *database_, clock_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(other)) << other;
  EXPECT_THAT(std::string(base::message(other)), HasSubstr("pepper"));
  ASSERT_TRUE(adopt_secrets(second_, *database_, clock_).ok());
  EXPECT_TRUE(Governance::open(second_, *database_, clock_).ok());
  EXPECT_FALSE(Governance::open(first_, *database_, clock_).ok());
}

// Neither a secret nor its digest lies in the database.
TEST_P(SharedSecretsTest, FingerprintsTellNothing) {
  ASSERT_TRUE(check(first_).ok());
  const auto prints = *secret_fingerprints(first_);
  EXPECT_EQ(prints.size(), 3u);
  EXPECT_NE(prints.at("pepper"), prints.at("session_key"));
  const auto stored = store::DocumentStore(*database_).all("installation");
  ASSERT_EQ(stored->size(), 1u);
  EXPECT_THAT(stored->front().body, HasSubstr(prints.at("pepper")));
}

}  // namespace
}  // namespace plinth::governance
