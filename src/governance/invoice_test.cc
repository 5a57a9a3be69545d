// Invoices, on both databases, and the periods and roundings that they rest on.
#include "governance/invoice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "governance/money.h"
#include "governance/reports/csv.h"
#include "governance/reports/testing/ledger_fixture.h"
#include "store/ledger_scan.h"

namespace plinth::governance {
namespace {

using testing::HasSubstr;

using InvoiceTest = LedgerFixture;
INSTANTIATE_TEST_SUITE_P(Reports, InvoiceTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST(Period, MonthsAndDaysAreUtcs) {
  const auto november = parse_month("2026-11");
  ASSERT_TRUE(november.ok());
  EXPECT_EQ(november->from_s, 1'793'491'200);
  EXPECT_EQ(november->to_s - november->from_s, 30 * 86'400);
  EXPECT_EQ(parse_month("2026-12")->to_s, parse_month("2027-01")->from_s);
  EXPECT_EQ(*parse_day("2028-02-29") + 86'400, *parse_day("2028-03-01"));
  EXPECT_EQ(format_month(november->from_s), "2026-11");
  EXPECT_EQ(format_time_ms(november->from_s * 1000 + 7), "2026-11-01T00:00:00.007Z");
  for (const char* wrong :
       {"", "2026", "2026-13", "2026-1", "26-11", "2026/11", "2026-11-", "-026-11"})
    EXPECT_FALSE(parse_month(wrong).ok()) << wrong;
  for (const char* wrong : {"", "2026-11", "2026-11-31", "2026-02-29", "2026-11-00", "2026-11-1x"})
    EXPECT_FALSE(parse_day(wrong).ok()) << wrong;
}

TEST(RoundToCents, TakesTheEvenNeighbourOfAHalf) {
  constexpr std::int64_t kCent = 10'000'000'000;
  EXPECT_EQ(round_to_cents(kCent / 2), 0);
  EXPECT_EQ(round_to_cents(kCent / 2 + 1), 1);
  EXPECT_EQ(round_to_cents(kCent + kCent / 2), 2);
  EXPECT_EQ(round_to_cents(2 * kCent + kCent / 2), 2);
  EXPECT_EQ(round_to_cents(-kCent / 2), 0);
  EXPECT_EQ(round_to_cents(-kCent - kCent / 2), -2);
  EXPECT_EQ(round_to_cents(-kCent / 2 - 1), -1);
  EXPECT_EQ(round_to_cents(__int128{kCent} * 9'000'000'000'000), 9'000'000'000'000);
  EXPECT_EQ(format_cents(-5), "-0.05");
  EXPECT_EQ(format_cents(123'456), "1234.56");
}

// Of one request by hand: 600 tokens at 1.5, 400 at 0.75, 50 at 6.000001 a million.
TEST_P(InvoiceTest, LinesAreTokensByTheirPrice) {
  append({request("a", november_.from_s)});
  const auto invoice = make_invoice(*database_, {"default", november_, ""});
  ASSERT_TRUE(invoice.ok()) << invoice.status();
  ASSERT_EQ(invoice->lines.size(), 3u);
  EXPECT_EQ(invoice->lines[0].meter, "input");
  EXPECT_EQ(invoice->lines[0].tokens, 600);
  EXPECT_EQ(format_money(invoice->lines[0].exact_pico), "0.0009");
  EXPECT_EQ(invoice->lines[0].project_name, "=Alpha");
  EXPECT_EQ(invoice->lines[1].meter, "cached_input");
  EXPECT_EQ(format_money(invoice->lines[1].exact_pico), "0.0003");
  EXPECT_EQ(invoice->lines[2].meter, "output");
  EXPECT_EQ(format_money(invoice->lines[2].exact_pico), "0.00030000005");
  EXPECT_EQ(format_money(invoice->exact_pico), "0.00150000005");
  EXPECT_EQ(invoice->total_cents, 0);
}

// The rows, the roll-ups and the invoice are one amount, to the pico-unit.
TEST_P(InvoiceTest, IsTheLedgersAndTheRollUps) {
  append(storm(700));
  const auto invoice = make_invoice(*database_, {"default", november_, ""});
  ASSERT_TRUE(invoice.ok()) << invoice.status();
  EXPECT_EQ(invoice->rows, 700);
  __int128 lines = 0, days = 0;
  std::int64_t cents = 0, tokens = 0, day_tokens = 0;
  for (const auto& line : invoice->lines) {
    lines += line.exact_pico;
    cents += line.cents;
    tokens += line.tokens;
    EXPECT_EQ(line.cents, round_to_cents(line.exact_pico));
    EXPECT_NE(line.meter, "other");
  }
  const auto sums = store::UsageStore(*database_)
                        .usage({"default", november_.from_s, november_.to_s, kDay, {}, {}});
  for (const auto& sum : *sums) {
    days += sum.amount_pico;
    day_tokens += sum.input_tokens + sum.output_tokens;
  }
  EXPECT_TRUE(lines == invoice->exact_pico);
  EXPECT_TRUE(lines == days);
  EXPECT_EQ(tokens, day_tokens);
  EXPECT_EQ(cents, invoice->total_cents);
  EXPECT_GT(cents, 100);
  // Both projects' invoices are the organization's.
  std::int64_t apart = 0;
  for (const char* project : {"proj_a", "proj_b"}) {
    apart += make_invoice(*database_, {"default", november_, project})->total_cents;
  }
  EXPECT_EQ(apart, cents);
  EXPECT_TRUE(absl::IsNotFound(make_invoice(*database_, {"default", november_, "none"}).status()));
}

TEST_P(InvoiceTest, CorrectionsHaveLinesOfTheirOwn) {
  auto odd = request("a", november_.from_s);
  odd.amount_pico += 7;
  auto adjustment = request("b", november_.from_s + 5);
  adjustment.kind = "adjust";
  adjustment.input_tokens = adjustment.cached_tokens = adjustment.output_tokens = 0;
  adjustment.amount_pico = -300;
  auto credit = adjustment;
  credit.id = "c";
  credit.kind = "credit";
  append({odd, adjustment, credit});
  const auto invoice = make_invoice(*database_, {"default", november_, ""});
  std::map<std::string, std::int64_t> exact;
  for (const auto& line : invoice->lines)
    exact[line.meter] = static_cast<std::int64_t>(line.exact_pico);
  EXPECT_EQ(exact.at("other"), 7);
  EXPECT_EQ(exact.at("adjustment"), -300);
  EXPECT_EQ(exact.at("credit"), -300);
  EXPECT_EQ(invoice->lines.size(), 6u);
}

TEST_P(InvoiceTest, ASpreadsheetRunsNoName) {
  append({request("a", november_.from_s)});
  const auto invoice = make_invoice(*database_, {"default", november_, ""});
  const auto csv = to_csv(*invoice);
  EXPECT_THAT(csv, HasSubstr("proj_a,'=Alpha,m,standard,input,600,0,0.0009,0.00,usd\r\n"));
  std::size_t rows = 0;
  ASSERT_TRUE(read_csv(csv, [&](std::size_t, const std::vector<CsvCell>& cells) {
                ++rows;
                EXPECT_EQ(cells.size(), 10u);
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(rows, 5u);
  EXPECT_EQ(to_json(*invoice).at("total").as_string(), "0.00");
}

TEST(Csv, ReadsWhatItWrites) {
  const std::vector<CsvCell> row{"a", {}, "", "b,c", "d\"e", "f\r\ng", {}};
  EXPECT_EQ(csv_row(row), "a,,\"\",\"b,c\",\"d\"\"e\",\"f\r\ng\",\r\n");
  EXPECT_EQ(csv_row({{}, "x"}), ",x\r\n");
  std::vector<std::vector<CsvCell>> read;
  std::vector<std::size_t> lines;
  ASSERT_TRUE(read_csv(csv_row(row) + csv_row({"z"}), [&](std::size_t line,
                                                          const std::vector<CsvCell>& cells) {
                read.push_back(cells);
                lines.push_back(line);
                return absl::OkStatus();
              }).ok());
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0], row);
  EXPECT_EQ(lines, (std::vector<std::size_t>{1, 3}));
  const auto ignore = [](std::size_t, const std::vector<CsvCell>&) { return absl::OkStatus(); };
  for (const char* wrong : {"\"a", "a\"b", "\"a\"b\n", "x\ny,\"\"\"\n"}) {
    const auto status = read_csv(wrong, ignore);
    EXPECT_FALSE(status.ok()) << wrong;
    EXPECT_THAT(std::string(status.message()), HasSubstr("line")) << wrong;
  }
}

}  // namespace
}  // namespace plinth::governance
