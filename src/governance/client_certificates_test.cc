#include "governance/client_certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "governance/client_ca.h"
#include "governance/client_certificate_limits.h"
#include "governance/testing/test_certificates.h"
#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kNow = 1'700'000'000;

std::string words(const absl::Status& status) { return std::string(base::message(status)); }

TEST(ClientCa, ReadsAnAuthorityAndNothingBesideIt) {
  const TestCertificate authority({.name = "Größe", .valid_s = 1'000, .expires_s = kNow + 1});
  const auto read = parse_client_ca("\n" + authority.pem() + "\r\n \n", kNow);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->pem, authority.pem());
  EXPECT_EQ(read->valid_s, 1'000);
  EXPECT_EQ(read->expires_s, kNow + 1);
  EXPECT_THAT(read->subject, testing::StartsWith("CN=Gr"));
  EXPECT_EQ(read->fingerprint.size(), 64u);
}

TEST(ClientCa, RefusesByName) {
  const TestCertificate authority({});
  const TestCertificate leaf({.name = "leaf", .is_authority = false}, &authority);
  const TestCertificate expired({.name = "old", .expires_s = kNow});
  const TestCertificate never({.name = "never", .valid_s = kNow + 9, .expires_s = kNow + 5});
  const TestCertificate weak({.name = "weak", .rsa_bits = 1024});
  auto cut = authority.pem(), changed = authority.pem();
  cut.resize(cut.size() / 2);
  changed.replace(60, 8, "????????");
  const auto refusal = [](const std::string& pem) {
    const auto status = parse_client_ca(pem, kNow).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return words(status);
  };
  EXPECT_THAT(refusal(""), HasSubstr("no certificate in PEM"));
  EXPECT_THAT(refusal("hello"), HasSubstr("no certificate in PEM"));
  EXPECT_THAT(refusal(authority.der()), HasSubstr("no certificate in PEM"));
  EXPECT_THAT(refusal(authority.private_pem()), HasSubstr("no certificate in PEM"));
  EXPECT_THAT(refusal(cut), HasSubstr("no end"));
  EXPECT_THAT(refusal(changed), HasSubstr("can be read"));
  EXPECT_THAT(refusal(authority.pem() + authority.private_pem()), HasSubstr("beside"));
  EXPECT_THAT(refusal(authority.pem() + leaf.pem()), HasSubstr("one at a time"));
  EXPECT_THAT(refusal(leaf.pem()), HasSubstr("CA:TRUE"));
  EXPECT_THAT(refusal(expired.pem()), HasSubstr("has expired"));
  EXPECT_THAT(refusal(never.pem()), HasSubstr("before it is valid"));
  EXPECT_THAT(refusal(weak.pem()), HasSubstr("too weak"));
  EXPECT_THAT(refusal(std::string(kClientCaBytesMax + 1, 'x')), HasSubstr("at most"));
}

class ClientCertificatesTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    scratch_ = *store::ScratchDatabase::make(GetParam());
    database_ = *store::Database::open(scratch_->where());
    certificates_ = std::make_unique<ClientCertificates>(*database_, clock_, system_random_bytes);
  }
  std::string add(const TestCertificate& certificate) {
    const auto row = certificates_->add("default", certificate.pem(), "name");
    EXPECT_TRUE(row.ok()) << row.status();
    return row->id;
  }
  absl::Status activate(const std::string& project, const std::string& id, bool active = true) {
    return certificates_->set_active("default", project, {id}, active);
  }
  absl::Status check(const std::vector<std::string>& chain, const std::string& project,
                     std::int64_t now_s = kNow) {
    return certificates_->check(chain, "default", project, now_s);
  }

  base::FakeClock clock_{kNow};
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<ClientCertificates> certificates_;
  const TestCertificate authority_{TestCertificate::Options{}};
  const TestCertificate leaf_{{.name = "leaf", .is_authority = false, .purpose = "clientAuth"},
                              &authority_};
};

INSTANTIATE_TEST_SUITE_P(Governance, ClientCertificatesTest,
                         testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(ClientCertificatesTest, AsksForNoneUntilOneIsActive) {
  const auto id = add(authority_);
  EXPECT_TRUE(check({}, "a").ok());
  ASSERT_TRUE(activate("a", id).ok());
  EXPECT_THAT(words(check({}, "a")), HasSubstr("required"));
  EXPECT_TRUE(absl::IsPermissionDenied(check({""}, "a")));
  EXPECT_TRUE(check({leaf_.der()}, "a").ok());
  EXPECT_TRUE(check({}, "b").ok()) << "another project's";
  EXPECT_TRUE(certificates_->check({}, "elsewhere", "a", kNow).ok());
  ASSERT_TRUE(activate("a", id).ok()) << "again";
  ASSERT_TRUE(activate("a", id, false).ok());
  EXPECT_TRUE(check({}, "a").ok());
}

TEST_P(ClientCertificatesTest, WhoWasLetInIsLookedAtAgain) {
  const auto admit = [&](const std::vector<std::string>& chain, bool is_required = false) {
    return certificates_->admit(chain, "default", "a", is_required);
  };
  EXPECT_TRUE(admit({}).ok());
  EXPECT_THAT(words(admit({leaf_.der()}, true)), HasSubstr("no authority"));
  const auto id = add(authority_);
  ASSERT_TRUE(activate("a", id).ok());
  EXPECT_FALSE(admit({}).ok()) << "at once";
  EXPECT_TRUE(admit({leaf_.der()}).ok());
  EXPECT_TRUE(admit({leaf_.der()}, true).ok());
  EXPECT_FALSE(certificates_->admit(std::vector{authority_.der()}, "default", "a", false).ok());
  // Another gateway takes the authority away.
  store::CertificateStore elsewhere(*database_);
  ASSERT_TRUE(elsewhere.set_active("default", "a", {id}, false).ok());
  EXPECT_TRUE(admit({leaf_.der()}, true).ok()) << "remembered";
  clock_.advance(kClientCheckKept);
  EXPECT_FALSE(admit({leaf_.der()}, true).ok());
}

TEST_P(ClientCertificatesTest, TheOrganizationsCountInEveryProjectBesideItsOwn) {
  const TestCertificate other({.name = "other"});
  const TestCertificate others_leaf({.name = "x", .is_authority = false}, &other);
  ASSERT_TRUE(activate("", add(authority_)).ok());
  ASSERT_TRUE(activate("a", add(other)).ok());
  EXPECT_TRUE(check({leaf_.der()}, "a").ok());
  EXPECT_TRUE(check({others_leaf.der()}, "a").ok());
  EXPECT_TRUE(check({leaf_.der()}, "b").ok());
  EXPECT_FALSE(check({others_leaf.der()}, "b").ok());
  EXPECT_FALSE(check({others_leaf.der()}, "").ok());
  EXPECT_FALSE(check({}, "b").ok());
}

TEST_P(ClientCertificatesTest, AcceptsNobodyWhomItsAuthorityDidNotSignForClients) {
  ASSERT_TRUE(activate("", add(authority_)).ok());
  const TestCertificate namesake({});
  const TestCertificate forged({.name = "leaf", .is_authority = false}, &namesake);
  const TestCertificate alone({.name = "leaf", .is_authority = false});
  const TestCertificate server({.name = "s", .is_authority = false, .purpose = "serverAuth"},
                               &authority_);
  const TestCertificate early({.name = "e", .is_authority = false, .valid_s = kNow + 1},
                              &authority_);
  const TestCertificate weak({.name = "w", .is_authority = false, .rsa_bits = 1024}, &authority_);
  // Signed by one who may not sign.
  const TestCertificate grandchild({.name = "g", .is_authority = false}, &leaf_);
  for (const auto& chain : std::vector<std::vector<std::string>>{{forged.der()},
                                                                 {alone.der()},
                                                                 {server.der()},
                                                                 {early.der()},
                                                                 {weak.der()},
                                                                 {grandchild.der(), leaf_.der()},
                                                                 {leaf_.der() + "x"},
                                                                 {"x"},
                                                                 {leaf_.der(), "x"}}) {
    EXPECT_TRUE(absl::IsPermissionDenied(check(chain, "a"))) << chain.size();
  }
  EXPECT_TRUE(absl::IsPermissionDenied(
      check(std::vector<std::string>(kClientChainMax + 1, leaf_.der()), "a")));
  EXPECT_TRUE(check({early.der()}, "a", kNow + 1).ok());
}

TEST_P(ClientCertificatesTest, FollowsAChainAndEndsWithItsAuthority) {
  const TestCertificate between({.name = "between", .expires_s = kNow + 100}, &authority_);
  const TestCertificate far({.name = "far", .is_authority = false}, &between);
  const auto id = add(between);
  ASSERT_TRUE(activate("a", id).ok());
  EXPECT_TRUE(check({far.der()}, "a").ok()) << "trusted although it did not sign itself";
  EXPECT_FALSE(check({leaf_.der()}, "a").ok()) << "signed by its signer";
  EXPECT_FALSE(check({far.der()}, "a", kNow + 101).ok());
  ASSERT_TRUE(activate("b", add(authority_)).ok());
  EXPECT_FALSE(check({far.der()}, "b").ok());
  EXPECT_TRUE(check({far.der(), between.der()}, "b").ok());
  clock_.advance(std::chrono::seconds(100));
  EXPECT_TRUE(absl::IsInvalidArgument(activate("c", id))) << "it has expired";
  EXPECT_TRUE(activate("a", id, false).ok());
}

TEST_P(ClientCertificatesTest, KeepsEachOnceAndWhatIsActive) {
  const auto id = add(authority_);
  EXPECT_THAT(words(certificates_->add("default", authority_.pem(), {}).status()),
              HasSubstr("there already"));
  EXPECT_TRUE(certificates_->add("elsewhere", authority_.pem(), {}).ok());
  EXPECT_TRUE(absl::IsNotFound(certificates_->rows().find("elsewhere", id).status()));
  ASSERT_TRUE(certificates_->rename("default", id, std::nullopt).ok());
  EXPECT_EQ(certificates_->rows().find("default", id)->name, std::nullopt);
  ASSERT_TRUE(activate("a", id).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(certificates_->remove("default", id)));
  // All or none.
  EXPECT_TRUE(absl::IsNotFound(certificates_->set_active("default", "b", {id, "cert_x"}, true)));
  EXPECT_TRUE(certificates_->rows().active("default", "b")->empty());
  EXPECT_TRUE(absl::IsInvalidArgument(certificates_->set_active("default", "b", {}, true)));
  EXPECT_TRUE(absl::IsInvalidArgument(certificates_->set_active(
      "default", "b", std::vector<std::string>(kClientCasAtOnce + 1, id), true)));
  ASSERT_TRUE(activate("a", id, false).ok());
  ASSERT_TRUE(certificates_->remove("default", id).ok());
  EXPECT_TRUE(absl::IsNotFound(certificates_->remove("default", id)));
  EXPECT_TRUE(absl::IsNotFound(activate("a", id)));
}

}  // namespace
}  // namespace plinth::governance
