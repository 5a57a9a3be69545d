#include "governance/deployments.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "governance/deployment_limits.h"
#include "governance/governance.h"
#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

base::json::value json(std::string_view text) { return base::parse_json(text).value(); }

Deployment made(const std::string& document) {
  auto deployment = parse_deployment(json(document)).value();
  deployment.project = "default";
  deployment.name = "prod";
  return deployment;
}

std::string error_of(const std::string& document) {
  return std::string(base::message(parse_deployment(json(document)).status()));
}

TEST(Deployment, IsReadBackAsItWasWritten) {
  const auto deployment = made(R"({"sku": {"name": "DataZoneStandard", "capacity": 12},
    "properties": {"model": {"format": "OpenAI", "name": "m", "version": "2"},
    "raiPolicyName": "strict", "versionUpgradeOption": "NoAutoUpgrade", "defaultMaxOutput": 100,
    "defaultParameters": {"top_p": 0.5}, "canary": [{"version": "3", "percent": 10}]}})");
  EXPECT_EQ(deployment.service_class, "standard");
  EXPECT_EQ(deployment.upgrade, UpgradeOption::never);
  auto again = parse_deployment(deployment_json(deployment)).value();
  again.project = deployment.project;
  again.name = deployment.name;
  EXPECT_EQ(again, deployment);
}

TEST(Deployment, ErrorsNameThePath) {
  EXPECT_THAT(error_of("[]"), HasSubstr("document: must be an object"));
  EXPECT_THAT(error_of("{}"), HasSubstr("properties: is missing"));
  EXPECT_THAT(error_of(R"({"properties": {"model": {}}})"),
              HasSubstr("properties.model.name: is missing"));
  EXPECT_THAT(error_of(R"({"sku": {"name": "ProvisionedManaged"}, "properties": {}})"),
              HasSubstr("sku.capacity: is missing"));
  EXPECT_THAT(error_of(R"({"sku": {"name": "Standard", "capacity": 100001}, "properties": {}})"),
              HasSubstr("sku.capacity: must be a whole number from 1 to 100000"));
  EXPECT_THAT(error_of(R"({"properties": {"model": {"name": "m"}, "defaultMaxOutput": 1.5}})"),
              HasSubstr("properties.defaultMaxOutput: must be a whole number"));
  EXPECT_THAT(error_of(R"({"properties": {"model": {"name": "m"}, "canary": [{"version": "1"}]}})"),
              HasSubstr("properties.canary[0].percent: is missing"));
  EXPECT_THAT(error_of(R"({"properties": {"model": {"name": "m"},
    "dynamicThrottlingEnabled": true}})"),
              HasSubstr("properties.dynamicThrottlingEnabled"));
}

TEST(ModelVersions, FollowTheUpgradeOption) {
  constexpr std::int64_t kNow = 1000;
  auto old = made(R"({"properties": {"model": {"name": "m", "version": "1"}}})");
  old.seen_default = "1";
  const auto served = [&](const std::vector<ModelVersion>& versions) {
    const auto version = ModelVersions(versions).choose(old, 99, kNow);
    return version.ok() ? version->served : std::string(base::message(version.status()));
  };
  const ModelVersion one{"m", "1", "m-1", true, std::nullopt};
  const ModelVersion one_gone{"m", "1", "m-1", false, kNow};
  const ModelVersion one_later{"m", "1", "m-1", false, kNow + 1};
  const ModelVersion two{"m", "2", "m-2", true, std::nullopt};
  EXPECT_EQ(served({one}), "m-1");
  // With a new default version.
  EXPECT_EQ(served({one_later, two}), "m-2");
  old.upgrade = UpgradeOption::when_retired;
  EXPECT_EQ(served({one_later, two}), "m-1");
  EXPECT_EQ(served({one_gone, two}), "m-2");
  old.upgrade = UpgradeOption::never;
  EXPECT_EQ(served({one_later, two}), "m-1");
  EXPECT_THAT(served({one_gone, two}), HasSubstr("retired on 1970-01-01"));
  // A version that was chosen although it was not the default stays until there is a new one.
  old.upgrade = UpgradeOption::with_default;
  old.seen_default = "2";
  EXPECT_EQ(served({one_later, two}), "m-1");
  EXPECT_EQ(served({one_gone, two}), "m-2");
}

TEST(ModelVersions, CanariesGetTheirShare) {
  auto deployment = made(R"({"properties": {"model": {"name": "m", "version": "1"},
    "canary": [{"version": "2", "percent": 10}, {"version": "3", "percent": 5}]}})");
  deployment.seen_default = "1";
  const ModelVersions versions({{"m", "1", "m-1", true, std::nullopt},
                                {"m", "2", "m-2", false, std::nullopt},
                                {"m", "3", "m-3", false, 10}});
  std::map<std::string, int> served;
  for (int draw = 0; draw < 100; ++draw) ++served[versions.choose(deployment, draw, 11)->served];
  // Of the retired canary, the version that is there serves the requests.
  EXPECT_THAT(served, ElementsAre(std::pair("m-1", 90), std::pair("m-2", 10)));
  EXPECT_EQ(versions.choose(deployment, 12, 9)->served, "m-3");
}

class DeploymentsTest : public testing::TestWithParam<store::Dialect> {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "deployments_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    scratch_ = *store::ScratchDatabase::make(GetParam());
    database_ = *store::Database::open(scratch_->where());
    governance_ = open();
  }
  void TearDown() override {
    governance_.reset();
    std::filesystem::remove_all(home_);
  }
  std::unique_ptr<Governance> open() {
    auto opened = Governance::open(home_, *database_, clock_);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  Deployments& deployments() { return governance_->deployments(); }

  std::string home_;
  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Governance> governance_;
};

TEST_P(DeploymentsTest, AreTheSameAfterARestart) {
  auto deployment = made(R"({"properties": {"model": {"name": "m"}}})");
  ASSERT_TRUE(deployments().put_version({"m", "a", "m-a", true, std::nullopt}).ok());
  const auto stored = deployments().put(deployment);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->seen_default, "a");
  governance_.reset();
  governance_ = open();
  ASSERT_NE(deployments().deployment("default", "prod"), nullptr);
  EXPECT_EQ(*deployments().deployment("default", "prod"), *stored);
  EXPECT_EQ(deployments().deployment("other", "prod"), nullptr);
  EXPECT_EQ(deployments().find("default", "prod", 0)->model, "m-a");
  EXPECT_EQ(deployments().find("other", "prod", 0)->model, "prod") << "the model of that name";
  ASSERT_TRUE(deployments().remove("default", "prod").ok());
  EXPECT_TRUE(absl::IsNotFound(deployments().remove("default", "prod")));
  EXPECT_TRUE(deployments().list("default").empty());
}

TEST_P(DeploymentsTest, CapacityBecomesItsLimits) {
  auto deployment = made(R"({"sku": {"name": "Standard", "capacity": 3},
    "properties": {"model": {"name": "m"}}})");
  ASSERT_TRUE(deployments().put(deployment).ok());
  auto limits = governance_->limits().limits("deployment", "default/prod").value();
  ASSERT_EQ(limits.size(), 2u);
  EXPECT_EQ(limits[0].amount, 18);
  EXPECT_EQ(limits[1].amount, 3000);
  ASSERT_TRUE(deployments().remove("default", "prod").ok());
  EXPECT_TRUE(governance_->limits().limits("deployment", "default/prod").value().empty());
}

ThroughputRow unit_of(const std::string& model, std::int64_t tokens, std::int64_t replicas = 1) {
  ThroughputRow row;
  row.model = model;
  row.unit_tokens = tokens;
  row.first_token_ms = row.token_us = 1;
  row.replicas = replicas;
  return row;
}

Deployment provisioned(const std::string& name, std::int64_t units) {
  auto deployment = made(fmt::format(R"({{"sku": {{"name": "ProvisionedManaged", "capacity": {}}},
    "properties": {{"model": {{"name": "m"}}}}}})",
                                     units));
  deployment.name = name;
  return deployment;
}

TEST_P(DeploymentsTest, UnitsBecomeTheirThroughput) {
  EXPECT_TRUE(absl::IsFailedPrecondition(deployments().put(provisioned("d", 10)).status()));
  EXPECT_EQ(deployments().deployment("default", "d"), nullptr);
  ASSERT_TRUE(deployments().accept(unit_of("m", 500)).ok());
  ASSERT_TRUE(deployments().put(provisioned("d", 10)).ok());
  const auto limits = [&] {
    return governance_->limits().limits("deployment", "default/d").value();
  };
  ASSERT_EQ(limits().size(), 1u);
  EXPECT_EQ(limits()[0].resource, "provisioned_tokens");
  EXPECT_EQ(limits()[0].amount, 5000);
  ASSERT_TRUE(deployments().accept(unit_of("m", 700)).ok());
  ASSERT_TRUE(deployments().accept(unit_of("n", 1)).ok());
  EXPECT_EQ(limits().at(0).amount, 7000) << "those that are sold, too";
  auto standard = provisioned("d", 1);
  standard.service_class = "standard";
  ASSERT_TRUE(deployments().put(standard).ok());
  ASSERT_EQ(limits().size(), 2u);
  for (const auto& limit : limits()) EXPECT_NE(limit.resource, "provisioned_tokens");
}

// Neither gateway knows what the other one sold a moment ago.
TEST_P(DeploymentsTest, GatewaysTogetherSellNoMoreThanReplicasSustain) {
  const auto other = open();
  ASSERT_TRUE(deployments().accept(unit_of("m", 500)).ok());
  ASSERT_TRUE(deployments().put(provisioned("a", 60)).ok());
  const auto refused = other->deployments().put(provisioned("b", 41)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("60 of the 100 units of `m` are sold"));
  EXPECT_TRUE(governance_->limits().limits("deployment", "default/b").value().empty());
  ASSERT_TRUE(other->deployments().put(provisioned("b", 40)).ok());
  EXPECT_FALSE(deployments().put(provisioned("a", 61)).ok());
  ASSERT_TRUE(deployments().put(provisioned("a", 60)).ok()) << "itself does not count twice";
  // With two replicas it is twice as much, and nobody takes away what is sold.
  ASSERT_TRUE(other->deployments().accept(unit_of("m", 500, 2)).ok());
  ASSERT_TRUE(deployments().put(provisioned("a", 160)).ok());
  EXPECT_FALSE(deployments().put(provisioned("a", 161)).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(other->deployments().accept(unit_of("m", 500)).status()));
  EXPECT_EQ(other->throughput().of("m")->replicas, 2);
}

TEST_P(DeploymentsTest, WhatIsHeldIsChargedFromItsFirstSecondToItsLast) {
  ASSERT_TRUE(
      governance_->admission().insert_price({"m", "provisioned", 0, 0, 0, 0, 0, 3'600'000}).ok());
  ASSERT_TRUE(deployments().accept(unit_of("m", 500)).ok());
  clock_.advance(std::chrono::seconds(3600 - clock_.unix_seconds() % 3600));
  // PostgreSQL's own clock says what hour it is: what follows is of hours that tests can wait for.
  if (GetParam() == store::Dialect::postgresql) return;
  ASSERT_TRUE(deployments().put(provisioned("d", 10)).ok());
  clock_.advance(std::chrono::seconds(600));
  ASSERT_TRUE(deployments().put(provisioned("d", 10)).ok()) << "and nothing changes";
  ASSERT_TRUE(deployments().put(provisioned("d", 4)).ok());
  clock_.advance(std::chrono::seconds(900));
  ASSERT_TRUE(deployments().remove("default", "d").ok());
  clock_.advance(std::chrono::seconds(7200));
  ASSERT_TRUE(governance_->commitments().charge().ok());
  ASSERT_TRUE(governance_->commitments().charge().ok());
  std::vector<store::LedgerRow> rows;
  ASSERT_TRUE(
      governance_->usage()
          .each_row("default", 0, INT64_MAX / 2, [&](const auto& row) { rows.push_back(row); })
          .ok());
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].amount_pico, (10 * 600 + 4 * 900) * 1000);
  EXPECT_EQ(rows[0].deployment, "default/d");
}

TEST_P(DeploymentsTest, ANewDefaultVersionEndsTheOld) {
  for (const char* version : {"1", "2"})
    ASSERT_TRUE(
        deployments().put_version({"m", version, std::string("m-") + version, true, {}}).ok());
  EXPECT_EQ(deployments().versions().default_of("m").version, "2");
  EXPECT_FALSE(deployments().versions().find("m", "1")->is_default);
  auto deployment = made(R"({"properties": {"model": {"name": "m", "version": "1"}}})");
  ASSERT_TRUE(deployments().put(deployment).ok());
  EXPECT_EQ(deployments().remove_version("m", "1").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(deployments().remove_version("m", "2").ok());
}

TEST_P(DeploymentsTest, AnotherGatewaysChangesAreRead) {
  const auto other = open();
  ASSERT_TRUE(other->deployments().put(made(R"({"properties": {"model": {"name": "m"}}})")).ok());
  EXPECT_EQ(deployments().deployment("default", "prod"), nullptr);
  ASSERT_TRUE(deployments().refresh().ok());
  EXPECT_NE(deployments().deployment("default", "prod"), nullptr);
}

TEST_P(DeploymentsTest, TooManyAreRefused) {
  auto deployment = made(R"({"properties": {"model": {"name": "m"}}})");
  store::DocumentStore store(*database_);
  for (std::int64_t i = 0; i < kDeploymentsMax; ++i) {
    ASSERT_TRUE(
        store.put({"deployment", "default", fmt::format("d{}", i), "{}", 1, 1}, kDeploymentsMax)
            .ok());
  }
  EXPECT_TRUE(absl::IsResourceExhausted(deployments().put(deployment).status()));
  deployment.name = "d7";
  EXPECT_TRUE(deployments().put(deployment).ok()) << "which is there";
}

INSTANTIATE_TEST_SUITE_P(Databases, DeploymentsTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& param) { return store::dialect_name(param.param); });

}  // namespace
}  // namespace plinth::governance
