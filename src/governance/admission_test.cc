#include "governance/admission.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <random>
#include <thread>

#include "governance/limits.h"
#include "governance/meter.h"
#include "governance/testing/gateway.h"
#include "store/scratch_database.h"

namespace plinth::governance {
namespace {

using testing::HasSubstr;

class AdmissionTest : public testing::Test {
 protected:
  void SetUp() override {
    scratch_ = *store::ScratchDatabase::make(store::Dialect::sqlite);
    reopen();
    principal_.key_id = "k";
    principal_.project = "p";
  }
  void reopen() {
    gateway_.reset();
    gateway_ = std::make_unique<Gateway>(scratch_->where(), clock_,
                                         "gateway" + std::to_string(++opened_), false);
    admission_ = gateway_->admission.get();
  }
  void limit(const char* kind, const char* scope, const char* model, Resource resource,
             std::int64_t amount) {
    const auto status =
        admission_->set_limit({kind, scope, model, std::string(resource_name(resource)), amount});
    ASSERT_TRUE(status.ok()) << status;
  }
  absl::StatusOr<Admission::Ticket> begin(const Demand& demand) {
    return gateway_->begin(principal_, demand);
  }
  absl::Status reserve(Admission::Ticket& ticket, std::int64_t prompt, std::int64_t output,
                       std::int64_t cached = 0) {
    return gateway_->reserve(ticket, prompt, output, cached);
  }
  void settle(Admission::Ticket ticket, const TokenCount& tokens) {
    const auto status = gateway_->settle(std::move(ticket), principal_, {"m"}, tokens);
    EXPECT_TRUE(status.ok()) << status;
  }
  static RefusalKind kind_of(const absl::Status& status) { return refusal_of(status).value().kind; }

  base::FakeClock clock_;
  std::unique_ptr<store::ScratchDatabase> scratch_;
  std::unique_ptr<Gateway> gateway_;
  Admission* admission_ = nullptr;
  int opened_ = 0;
  Principal principal_;
};

TEST_F(AdmissionTest, WithoutLimitsEverythingPasses) {
  auto ticket = begin({"m"});
  ASSERT_TRUE(ticket.ok());
  EXPECT_TRUE(reserve(*ticket, 1'000'000, 1'000'000).ok());
  const auto view = admission_->view(principal_, {"m"});
  EXPECT_FALSE(view.requests.has_value());
  EXPECT_FALSE(view.tokens.has_value());
}

TEST_F(AdmissionTest, RequestsAreCountedWhateverBecomesOfThem) {
  limit("project", "p", "m", Resource::requests_per_minute, 2);
  EXPECT_TRUE(begin({"m"}).ok());
  EXPECT_TRUE(begin({"m"}).ok());
  const auto third = begin({"m"});
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(kind_of(third.status()), RefusalKind::requests);
  EXPECT_EQ(refusal_of(third.status())->retry_after, std::chrono::seconds(30));
  EXPECT_THAT(std::string(base::message(third.status())), HasSubstr("project p"));
  EXPECT_TRUE(begin({"other"}).ok()) << "of another model";
  clock_.advance(std::chrono::seconds(30));
  EXPECT_TRUE(begin({"m"}).ok());
}

TEST_F(AdmissionTest, TokensAreReservedAndWhatIsNotUsedComesBack) {
  limit("key", "k", "", Resource::tokens_per_minute, 1000);
  auto first = *begin({"m"});
  ASSERT_TRUE(reserve(first, 500, 400).ok());
  EXPECT_EQ(admission_->view(principal_, {"m"}).tokens->remaining, 100);
  auto second = *begin({"n"});
  const auto refused = reserve(second, 50, 51);
  EXPECT_EQ(kind_of(refused), RefusalKind::tokens);
  EXPECT_TRUE(refusal_of(refused)->retry_after.has_value());
  settle(std::move(first), {500, 300, 10});
  EXPECT_EQ(admission_->view(principal_, {"n"}).tokens->remaining, 1000 - 200 - 10);
  {
    auto dropped = *begin({"m"});
    ASSERT_TRUE(reserve(dropped, 300, 300).ok());
  }
  EXPECT_EQ(admission_->view(principal_, {"n"}).tokens->remaining, 790)
      << "a dropped ticket used nothing";
  const auto never = reserve(second, 1000, 1);
  EXPECT_EQ(kind_of(never), RefusalKind::too_large);
  EXPECT_FALSE(refusal_of(never)->retry_after.has_value());
}

TEST_F(AdmissionTest, ARefusalTakesNothingOfAnyLimit) {
  limit("key", "k", "", Resource::tokens_per_minute, 1000);
  limit("project", "p", "", Resource::tokens_per_minute, 100);
  auto ticket = *begin({"m"});
  EXPECT_FALSE(reserve(ticket, 200, 0).ok());
  ASSERT_TRUE(admission_->remove_limit({"project", "p", "", "tokens_per_minute", 0}).ok());
  auto next = *begin({"m"});
  EXPECT_EQ(admission_->view(principal_, {"m"}).tokens->remaining, 1000);
}

TEST_F(AdmissionTest, ParallelRequestsEndWithTheirTickets) {
  limit("deployment", "d", "", Resource::parallel_requests, 1);
  {
    const auto one = begin({"m", "d"});
    ASSERT_TRUE(one.ok());
    EXPECT_FALSE(begin({"m", "d"}).ok());
    EXPECT_TRUE(begin({"m", "e"}).ok());
  }
  EXPECT_TRUE(begin({"m", "d"}).ok());
}

TEST_F(AdmissionTest, BudgetsAreNeverExceeded) {
  ASSERT_TRUE(admission_->insert_price({"m", "standard", 0, 10, 5, 20, 0}).ok());
  ASSERT_TRUE(admission_->set_budget({"project", "p", "day", 1000, 0, 0}).ok());
  auto first = *begin({"m"});
  ASSERT_TRUE(reserve(first, 50, 20).ok()) << "900 of 1000";
  auto second = *begin({"m"});
  const auto refused = reserve(second, 11, 0);
  EXPECT_EQ(kind_of(refused), RefusalKind::budget);
  EXPECT_FALSE(refusal_of(refused)->retry_after.has_value());
  EXPECT_TRUE(reserve(second, 10, 0).ok());
  settle(std::move(first), {50, 40, 1});
  EXPECT_TRUE(reserve(second, 58, 0).ok()) << "320 + 100 + 580";
  EXPECT_FALSE(begin({"m"}).ok()) << "nothing is left";
  // The next day is a new one.
  clock_.advance(std::chrono::hours(24));
  EXPECT_TRUE(begin({"m"}).ok());
}

TEST_F(AdmissionTest, TokensThatAreSureToBeCachedCountInNoLimit) {
  limit("key", "k", "", Resource::tokens_per_minute, 100);
  limit("key", "k", "", Resource::queued_tokens, 100);
  auto ticket = *begin({"m"});
  ASSERT_TRUE(reserve(ticket, 500, 20, 480).ok());
  EXPECT_EQ(admission_->view(principal_, {"m"}).tokens->remaining, 60);
  // Some of them are lost: they count now, if they fit.
  EXPECT_EQ(kind_of(reserve(ticket, 0, 0, -61)), RefusalKind::tokens);
  ASSERT_TRUE(reserve(ticket, 0, 0, -60).ok());
  EXPECT_EQ(admission_->view(principal_, {"m"}).tokens->remaining, 0);
  settle(std::move(ticket), {500, 440, 20});
  EXPECT_EQ(admission_->view(principal_, {"m"}).tokens->remaining, 20);
}

TEST_F(AdmissionTest, TokensThatAreSureToBeCachedAreHeldAtTheirPrice) {
  ASSERT_TRUE(admission_->insert_price({"m", "standard", 0, 10, 4, 20, 0}).ok());
  ASSERT_TRUE(admission_->insert_price({"dear", "standard", 0, 1, 2, 5, 0}).ok());
  ASSERT_TRUE(admission_->set_budget({"project", "p", "day", 1000, 0, 0}).ok());
  auto ticket = *begin({"m"});
  // 20 * 10 + 80 * 4 + 10 * 20 = 720
  ASSERT_TRUE(reserve(ticket, 100, 10, 80).ok());
  auto other = *begin({"m"});
  EXPECT_FALSE(reserve(other, 29, 0).ok());
  EXPECT_TRUE(reserve(other, 28, 0).ok());
  // Another 46 of them are none: 6 more for each, and only 0 of 280 are left.
  EXPECT_FALSE(reserve(ticket, 0, 0, -46).ok());
  other = {};
  EXPECT_TRUE(reserve(ticket, 0, 0, -46).ok());
  settle(std::move(ticket), {100, 34, 10});
  other = *begin({"m"});
  EXPECT_FALSE(reserve(other, 1, 0).ok()) << "66 * 10 + 34 * 4 + 10 * 20 = 996";
  // Where cached tokens are dearer, those that are not sure to be may be.
  EXPECT_TRUE(reserve(other, 0, 0).ok());
  auto dear = *begin({"dear"});
  EXPECT_FALSE(reserve(dear, 3, 0, 1).ok()) << "6, not 4";
  EXPECT_TRUE(reserve(dear, 2, 0, 1).ok());
  EXPECT_TRUE(reserve(dear, 0, 0, -1).ok()) << "what is lost costs no more";
}

TEST_F(AdmissionTest, ABudgetThatIsSetMeanwhilePaysForWhatRuns) {
  ASSERT_TRUE(admission_->insert_price({"", "standard", 0, 10, 10, 10, 0}).ok());
  auto running = *begin({"m"});
  ASSERT_TRUE(reserve(running, 90, 0).ok());
  ASSERT_TRUE(admission_->set_budget({"key", "k", "month", 1000, 0, 0}).ok());
  settle(std::move(running), {90, 0, 0});
  auto next = *begin({"m"});
  EXPECT_FALSE(reserve(next, 11, 0).ok());
  EXPECT_TRUE(reserve(next, 10, 0).ok());
}

TEST_F(AdmissionTest, LimitsAndSpendingSurviveARestart) {
  ASSERT_TRUE(admission_->insert_price({"m", "standard", 0, 10, 5, 20, 0}).ok());
  ASSERT_TRUE(admission_->set_budget({"project", "p", "day", 1000, 0, 0}).ok());
  limit("project", "p", "m", Resource::tokens_per_minute, 70);
  store::LedgerRow row;
  row.id = "r";
  row.time_ms = clock_.unix_millis();
  row.organization = "default";
  row.project = "p";
  row.amount_pico = 800;
  ASSERT_TRUE(gateway_->usage.append(std::vector{row}).ok());
  reopen();
  auto ticket = *begin({"m"});
  EXPECT_EQ(kind_of(reserve(ticket, 21, 0)), RefusalKind::budget);
  EXPECT_EQ(kind_of(reserve(ticket, 71, 0)), RefusalKind::too_large);
  EXPECT_EQ(ticket.price().output_pico, 20);
}

TEST_F(AdmissionTest, RefusesLimitsThatAreNone) {
  EXPECT_FALSE(admission_->set_limit({"galaxy", "p", "", "tokens_per_minute", 1}).ok());
  EXPECT_FALSE(admission_->set_limit({"project", "p", "", "tokens_per_second", 1}).ok());
  EXPECT_FALSE(admission_->set_limit({"project", "p", "", "tokens_per_minute", -1}).ok());
  EXPECT_FALSE(admission_->set_budget({"project", "p", "year", 1, 0, 0}).ok());
  EXPECT_FALSE(admission_->set_budget({"deployment", "p", "day", 1, 0, 0}).ok());
  EXPECT_FALSE(admission_->insert_price({"m", "standard", 0, -1, 0, 0, 0}).ok());
  EXPECT_FALSE(admission_->insert_price({"m", "standard", 0, kPricePicoMax + 1, 0, 0, 0}).ok());
}

// Many callers at once on the last of a budget and a rate: what is spent never passes either.
TEST_F(AdmissionTest, ConcurrentCallersNeverPassALimit) {
  ASSERT_TRUE(admission_->insert_price({"m", "standard", 0, 10, 5, 20, 0}).ok());
  ASSERT_TRUE(admission_->set_budget({"organization", "default", "day", 50'000, 0, 0}).ok());
  limit("project", "p", "m", Resource::tokens_per_minute, 4'000);
  std::atomic<std::int64_t> spent{0}, tokens{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<std::uint64_t>(t) + 1);
      for (int i = 0; i < 500; ++i) {
        auto ticket = begin({"m"});
        if (!ticket.ok()) continue;
        const auto prompt = static_cast<std::int64_t>(random() % 20 + 1);
        if (!reserve(*ticket, prompt, 30).ok()) continue;
        const auto output = static_cast<std::int64_t>(random() % 31);
        spent += rate(ticket->price(), {prompt, 0, output});
        tokens += prompt + output;
        settle(*std::move(ticket), {prompt, 0, output});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(spent, 50'000);
  EXPECT_GT(spent, 40'000) << "little is stranded";
  EXPECT_LE(tokens, 4'000);
}

TEST_F(AdmissionTest, AThreadOfItsOwnAsksTheDatabase) {
  limit("project", "p", "m", Resource::requests_per_minute, 2);
  admission_->start();
  std::promise<absl::Status> answer;
  const auto now = admission_->begin(principal_, {"m"}, [&](auto ticket) {
    // Dropping the ticket here needs no lock that the thread holds.
    answer.set_value(ticket.status());
  });
  ASSERT_FALSE(now.has_value()) << "of a limit that nobody asked for yet";
  EXPECT_TRUE(answer.get_future().get().ok());
  admission_->close();
  const auto late = admission_->begin(principal_, {"m"}, [](auto) {});
  ASSERT_TRUE(late.has_value());
  EXPECT_TRUE(absl::IsUnavailable(late->status())) << late->status();
}

TEST_F(AdmissionTest, MeterChargesWhatWasUsedOnceItIsDurable) {
  ASSERT_TRUE(admission_->insert_price({"m", "standard", 0, 10, 5, 20, 0}).ok());
  ASSERT_TRUE(admission_->set_budget({"project", "p", "day", 1000, 0, 0}).ok());
  auto ticket = *begin({"m"});
  ASSERT_TRUE(reserve(ticket, 10, 10).ok());
  settle(std::move(ticket), {10, 4, 3});
  std::vector<store::LedgerRow> rows;
  ASSERT_TRUE(gateway_->usage
                  .each_row("default", 0, INT64_MAX, [&](const auto& row) { rows.push_back(row); })
                  .ok());
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].amount_pico, 6 * 10 + 4 * 5 + 3 * 20);
  EXPECT_EQ(rows[0].price_version, 1);
  EXPECT_EQ(rate_again(rows[0], PriceBook(*gateway_->limits.prices())), rows[0].amount_pico);
  auto next = *begin({"m"});
  EXPECT_TRUE(reserve(next, 86, 0).ok());
  EXPECT_FALSE(reserve(next, 1, 0).ok());
}

}  // namespace
}  // namespace plinth::governance
