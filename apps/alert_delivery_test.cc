#include "apps/alert_delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/file.h"

namespace plinth {
namespace {

using testing::HasSubstr;

// Answers what it is told to, and keeps what it was sent.
class FakeClient final : public net::HttpClient {
 public:
  struct Seen {
    long status = 200;
    std::vector<std::string> bodies;
  };
  explicit FakeClient(Seen& seen) : seen_(seen) {}
  absl::StatusOr<net::HttpResponse> post(const std::string&, const std::vector<std::string>&,
                                         const std::string& body, const net::BodySink&) override {
    seen_.bodies.push_back(body);
    if (seen_.status == 0) return base::unavailable("nobody there");
    return net::HttpResponse{seen_.status, {}, ""};
  }
  absl::StatusOr<net::HttpResponse> get(const std::string&,
                                        const std::vector<std::string>&) override {
    return base::unimplemented("get");
  }
  absl::StatusOr<net::HttpResponse> download(const std::string&, const std::vector<std::string>&,
                                             std::uint64_t,
                                             const std::function<bool(const net::HttpResponse&)>&,
                                             const net::BodySink&) override {
    return base::unimplemented("download");
  }
  absl::StatusOr<net::HttpResponse> fetch(const std::string&, const std::vector<std::string>&,
                                          const net::BodySink&) override {
    return base::unimplemented("fetch");
  }
  absl::StatusOr<net::HttpResponse> remove(const std::string&, const std::vector<std::string>&,
                                           const net::BodySink&) override {
    return base::unimplemented("remove");
  }

 private:
  Seen& seen_;
};

class AlertDeliveryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "delivery_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  AlertDelivery make(const std::string& webhook) {
    return {{folder_ + "/mail", webhook}, std::make_unique<FakeClient>(seen_)};
  }
  std::string letter() const { return folder_ + "/mail/" + notice_.id + ".eml"; }

  std::string folder_;
  FakeClient::Seen seen_;
  const governance::SpendNotice notice_{
      "alert_1_0_5", {"alert_1", "default", "", 5, {"ada@example.com"}, ""}, 0, 5, 0};
};

TEST_F(AlertDeliveryTest, WritesALetterForItsOwnerAlone) {
  auto deliver = make("");
  ASSERT_TRUE(deliver(notice_).ok());
  struct stat info {};
  ASSERT_EQ(::stat(letter().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  EXPECT_EQ(*base::read_file(letter(), 1 << 20), governance::notice_letter(notice_));
  EXPECT_TRUE(seen_.bodies.empty());
}

TEST_F(AlertDeliveryTest, AWebhookThatIsAwayIsCalledAgainAndTheLetterIsNotWrittenAgain) {
  auto deliver = make("https://example.com/hook");
  for (const long status : {0l, 500l, 302l}) {
    seen_.status = status;
    EXPECT_FALSE(deliver(notice_).ok()) << status;
  }
  // A mailer took the letter meanwhile.
  ASSERT_TRUE(std::filesystem::remove(letter()));
  seen_.status = 204;
  EXPECT_TRUE(deliver(notice_).ok());
  EXPECT_FALSE(std::filesystem::exists(letter()));
  ASSERT_EQ(seen_.bodies.size(), 4u);
  EXPECT_THAT(seen_.bodies[3], HasSubstr("organization.spend_alert.fired"));
}

TEST_F(AlertDeliveryTest, AFolderThatCannotBeWrittenIsAnErrorAndTheWebhookIsCalled) {
  AlertDelivery deliver({"/proc/nowhere", "https://example.com/hook"},
                        std::make_unique<FakeClient>(seen_));
  EXPECT_FALSE(deliver(notice_).ok());
  EXPECT_EQ(seen_.bodies.size(), 1u);
}

}  // namespace
}  // namespace plinth
