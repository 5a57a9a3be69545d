#include "governance/provisioned_throughput.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

class ThroughputTest : public testing::Test {
 protected:
  void SetUp() override {
    scratch_ = *store::ScratchDatabase::make(store::Dialect::sqlite);
    database_ = *store::Database::open(scratch_->where());
    documents_ = std::make_unique<store::DocumentStore>(*database_);
    throughput_ = *ProvisionedThroughput::open(*documents_, clock_);
  }
  static ThroughputRow row() {
    ThroughputRow made;
    made.model = "m";
    made.unit_tokens = 6000;
    made.output_weight = 3;
    made.first_token_ms = made.token_us = 1;
    made.replicas = 2;
    return made;
  }

  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::DocumentStore> documents_;
  std::unique_ptr<ProvisionedThroughput> throughput_;
};

TEST_F(ThroughputTest, KeepsTheNewestRowOfAModel) {
  EXPECT_TRUE(absl::IsFailedPrecondition(throughput_->of("m").status()));
  const auto fine = [](const auto&) { return absl::OkStatus(); };
  ASSERT_TRUE(throughput_->accept(row(), fine).ok());
  ASSERT_TRUE(throughput_->accept(row(), fine).ok());
  throughput_ = *ProvisionedThroughput::open(*documents_, clock_);
  EXPECT_EQ(throughput_->of("m")->version, 2);
  EXPECT_EQ(throughput_->of("m")->replicas, 2);
  EXPECT_EQ(throughput_->list().size(), 1u);
}

TEST_F(ThroughputTest, WhatDoesNotFollowIsNotAccepted) {
  const auto status = throughput_
                          ->accept(row(),
                                   [&](const auto& accepted) -> absl::Status {
                                     EXPECT_EQ(throughput_->of("m")->version, accepted.version)
                                         << "what follows knows it";
                                     return base::invalid_argument("no");
                                   })
                          .status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_FALSE(throughput_->of("m").ok());
}

TEST_F(ThroughputTest, DocumentsAreChecked) {
  const auto error = [](std::string_view text) {
    const auto row = parse_throughput(base::parse_json(text).value());
    return std::string(base::message(row.status()));
  };
  EXPECT_THAT(error(R"({"unitTokensPerMinute": 0})"), testing::HasSubstr("unitTokensPerMinute"));
  EXPECT_THAT(error(R"({"unitTokensPerMinute": 5, "outputWeight": 3, "firstTokenMs": 1,
                       "tokenUs": 1, "replicas": 0})"),
              testing::HasSubstr("replicas"));
  EXPECT_THAT(error(R"({"unitTokensPerMinute": 5, "outputWeight": 3, "firstTokenMs": 1})"),
              testing::HasSubstr("tokenUs: is missing"));
}

}  // namespace
}  // namespace plinth::governance
