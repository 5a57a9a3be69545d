#include "governance/provisioned_throughput.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "governance/refusal.h"
#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Utilisation, DrainsAtItsRate) {
  base::FakeClock clock;
  // A thousand tokens a second: the brim is at ten thousand.
  Utilisation utilisation(60'000, clock.now());
  EXPECT_EQ(utilisation.wait(clock.now()), std::nullopt);
  utilisation.add(10'000, clock.now());
  EXPECT_EQ(utilisation.percent(clock.now()), 100);
  EXPECT_EQ(utilisation.wait(clock.now()), std::nullopt) << "full, and not over";
  utilisation.add(43, clock.now());
  EXPECT_EQ(utilisation.wait(clock.now()), milliseconds(43));
  clock.advance(milliseconds(42));
  EXPECT_EQ(utilisation.wait(clock.now()), milliseconds(1));
  clock.advance(milliseconds(1));
  EXPECT_EQ(utilisation.wait(clock.now()), std::nullopt);
  // What was reckoned and not used comes back, and never more than everything.
  utilisation.add(-20'000, clock.now());
  EXPECT_EQ(utilisation.percent(clock.now()), 0);
  clock.advance(std::chrono::hours(24 * 365 * 200));
  EXPECT_EQ(utilisation.percent(clock.now()), 0);
}

// Whatever comes, what is admitted in a time is what drains in it, the brim, and one request.
TEST(Utilisation, AdmitsWhatWasBought) {
  std::mt19937 random(7);
  base::FakeClock clock;
  constexpr std::int64_t kRate = 600'000;
  constexpr std::int64_t kLargest = 3000;
  Utilisation utilisation(kRate, clock.now());
  std::int64_t admitted = 0;
  const auto start = clock.now();
  while (clock.now() - start < minutes(5)) {
    if (!utilisation.wait(clock.now())) {
      const std::int64_t tokens = 1 + static_cast<std::int64_t>(random() % kLargest);
      utilisation.add(tokens, clock.now());
      admitted += tokens;
    }
    clock.advance(milliseconds(1 + random() % 100));
  }
  EXPECT_LE(admitted, 5 * kRate + kRate / 6 + kLargest);
  EXPECT_GE(admitted, 5 * kRate) << "and no less, as the load is higher";
}

class ThroughputTest : public testing::Test {
 protected:
  void SetUp() override {
    scratch_ = *store::ScratchDatabase::make(store::Dialect::sqlite);
    database_ = *store::Database::open(scratch_->where());
    documents_ = std::make_unique<store::DocumentStore>(*database_);
    throughput_ = *ProvisionedThroughput::open(*documents_, clock_);
    deployment_.project = "p";
    deployment_.name = "d";
    deployment_.model = "m";
    deployment_.capacity = 10;
  }
  // Ten units of 6,000: a thousand a second.
  void accept() {
    ThroughputRow row;
    row.model = "m";
    row.unit_tokens = 6000;
    row.output_weight = 3;
    row.first_token_ms = row.token_us = 1;
    ASSERT_TRUE(throughput_->accept(row).ok());
  }

  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::DocumentStore> documents_;
  std::unique_ptr<ProvisionedThroughput> throughput_;
  Deployment deployment_;
};

TEST_F(ThroughputTest, IsSoldByAnAcceptedTableAlone) {
  EXPECT_TRUE(absl::IsFailedPrecondition(throughput_->begin(deployment_).status()));
  accept();
  EXPECT_TRUE(throughput_->begin(deployment_).ok());
  accept();
  throughput_ = *ProvisionedThroughput::open(*documents_, clock_);
  EXPECT_EQ(throughput_->of("m")->version, 2);
  EXPECT_EQ(throughput_->list().size(), 1u);
}

TEST_F(ThroughputTest, ReckonsWithTheMostAndSettlesToWhatWas) {
  accept();
  auto use = throughput_->begin(deployment_).value();
  use.add({1000, 0, 3000});  // 1000 + 3 * 3000 fill it to the brim
  EXPECT_EQ(throughput_->utilisation(deployment_), 100);
  EXPECT_TRUE(throughput_->begin(deployment_).ok());
  auto more = throughput_->begin(deployment_).value();
  more.add({500, 0, 0});
  const auto refused = throughput_->begin(deployment_).status();
  ASSERT_TRUE(refusal_of(refused).has_value());
  EXPECT_EQ(refusal_of(refused)->retry_after, milliseconds(500));
  // Cached tokens are free, and an output token costs three.
  use.settle({1000, 400, 800});
  EXPECT_EQ(throughput_->utilisation(deployment_), (600 + 2400 + 500) / 100);
  more.add({1000, 900, 0});  // those that are sure to be cached are reckoned as such
  EXPECT_EQ(throughput_->utilisation(deployment_), (600 + 2400 + 500 + 100) / 100);
  { const auto dropped = std::move(more); }
  EXPECT_EQ(throughput_->utilisation(deployment_), 30) << "a request that failed used nothing";
  clock_.advance(seconds(3));
  EXPECT_EQ(throughput_->utilisation(deployment_), 0);
}

TEST_F(ThroughputTest, DocumentsAreChecked) {
  const auto error = [](std::string_view text) {
    const auto row = parse_throughput(base::parse_json(text).value());
    return std::string(base::message(row.status()));
  };
  EXPECT_THAT(error(R"({"unitTokensPerMinute": 0})"), testing::HasSubstr("unitTokensPerMinute"));
  EXPECT_THAT(error(R"({"unitTokensPerMinute": 5, "outputWeight": 3, "firstTokenMs": 1})"),
              testing::HasSubstr("tokenUs: is missing"));
}

}  // namespace
}  // namespace plinth::governance
