// Rerating, on both databases: by the prices that were in force it finds nothing, by others exactly
// the difference, and only once.
#include "governance/rerating.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "governance/invoice.h"
#include "governance/limits.h"
#include "governance/reports/testing/ledger_fixture.h"
#include "store/integrity.h"

namespace plinth::governance {
namespace {

using testing::HasSubstr;

class ReratingTest : public LedgerFixture {
 protected:
  // Appends what differs; returns how many rows and by how much.
  std::pair<int, __int128> apply(const PriceBook& prices) {
    std::vector<store::LedgerRow> rows;
    __int128 difference = 0;
    const auto status =
        rerate(*database_, "default", november_, prices, [&](const ReratedHour& hour) {
          difference += hour.after_pico - hour.before_pico;
          if (hour.after_pico != hour.before_pico) rows.push_back(adjustment_of(hour));
        });
    EXPECT_TRUE(status.ok()) << status;
    append(rows);
    return {static_cast<int>(rows.size()), difference};
  }
  __int128 charged() { return make_invoice(*database_, {"default", november_, ""})->exact_pico; }
};
INSTANTIATE_TEST_SUITE_P(Reports, ReratingTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(ReratingTest, TheSamePricesChangeNothing) {
  append(storm(300));
  const auto [rows, difference] = apply(book());
  EXPECT_EQ(rows, 0);
  EXPECT_TRUE(difference == 0);
}

TEST_P(ReratingTest, OtherPricesAreChargedOnce) {
  const auto requests = storm(300);
  append(requests);
  const auto before = charged();
  const PriceBook dearer(
      {{"", "standard", 0, 2'000'000, 1'000'000, 8'000'000, 1}, {"", "batch", 0, 70, 50, 110, 2}});
  __int128 expected = 0;
  for (const auto& row : requests) {
    if (row.id == "later") continue;
    expected += rate(dearer.at(row.model, row.service_class, row.time_ms / 1000),
                     {row.input_tokens, row.cached_tokens, row.output_tokens});
  }
  const auto [rows, difference] = apply(dearer);
  EXPECT_GT(rows, 0);
  EXPECT_TRUE(difference == expected - before);
  EXPECT_TRUE(charged() == expected);
  EXPECT_EQ(apply(dearer).first, 0) << "there is nothing left to correct";
  EXPECT_TRUE(store::check_all_sums(*database_).ok());
  // And back, although those adjustments have been there once.
  apply(book());
  EXPECT_TRUE(charged() == before);
  apply(dearer);
  EXPECT_TRUE(charged() == expected);
}

TEST_P(ReratingTest, AnAdjustmentStandsInTheHourThatItCorrects) {
  append({request("a", november_.from_s + 10), request("b", november_.from_s + 3599),
          request("c", november_.from_s + 7200)});
  std::vector<store::LedgerRow> rows;
  ASSERT_TRUE(rerate(*database_, "default", november_, PriceBook(), [&](const ReratedHour& hour) {
                rows.push_back(adjustment_of(hour));
              }).ok());
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].time_ms, (november_.from_s + 3600) * 1000 - 1);
  EXPECT_EQ(rows[0].amount_pico, -3'000'000'100);
  EXPECT_EQ(rows[1].time_ms, (november_.from_s + 10'800) * 1000 - 1);
  EXPECT_EQ(rows[1].amount_pico, -1'500'000'050);
}

TEST_P(ReratingTest, CreditsStay) {
  auto credit = request("c", november_.from_s);
  credit.kind = "credit";
  credit.amount_pico = -500;
  append({credit});
  EXPECT_EQ(apply(PriceBook()).first, 0);
}

TEST_P(ReratingTest, ARowThatCannotBeIsNamed) {
  auto row = request("impossible", november_.from_s);
  row.cached_tokens = row.input_tokens + 1;
  append({row});
  const auto status =
      rerate(*database_, "default", november_, book(), [](const ReratedHour&) { FAIL(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("impossible"));
}

TEST(PriceBookFile, ReadsWhatPriceListPrints) {
  const auto book =
      parse_price_book(R"([{"object":"organization.price","id":"price_1","version":1,"model":"m",)"
                       R"("service_class":"standard","effective_at":5,"input_per_million":"2.5",)"
                       R"("cached_input_per_million":"1.25","output_per_million":"0.000001"}])");
  ASSERT_TRUE(book.ok()) << book.status();
  const auto price = book->at("m", "standard", 9);
  EXPECT_EQ(price.input_pico, 2'500'000);
  EXPECT_EQ(price.cached_pico, 1'250'000);
  EXPECT_EQ(price.output_pico, 1);
  EXPECT_EQ(book->at("m", "standard", 4).version, 0);
}

TEST(PriceBookFile, NamesWhatIsWrong) {
  const auto entry = [](std::string_view input) {
    return fmt::format(R"([{{"model":"","service_class":"standard","effective_at":0,)"
                       R"("input_per_million":{},"cached_input_per_million":"1",)"
                       R"("output_per_million":"1"}}])",
                       input);
  };
  EXPECT_TRUE(parse_price_book(entry(R"("1")")).ok());
  for (const auto& [text, what] : std::vector<std::pair<std::string, std::string>>{
           {"{}", "expected a list"},
           {"[1]", "expected an object"},
           {"[{}]", "model: expected a text"},
           {entry("1"), "entry 0: input_per_million: expected a text"},
           {entry(R"("-1")"), "input_per_million"},
           {entry(R"("0.0000001")"), "more than 6 digits"},
           {entry(R"("10001")"), "more than 10000"}}) {
    const auto status = parse_price_book(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what)) << text;
  }
}

}  // namespace
}  // namespace plinth::governance
