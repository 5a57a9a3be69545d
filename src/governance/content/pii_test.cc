#include <gtest/gtest.h>

#include "governance/content/pii_detector.h"
#include "governance/content/pii_patterns.h"
#include "governance/content/testing/random_texts.h"
#include "governance/content_limits.h"

namespace plinth::governance {
namespace {

using Spans = std::vector<std::string>;

Spans find(const std::vector<std::string>& pieces) {
  const auto detector = make_pii_detector(true);
  const auto run = detector->start();
  std::vector<Finding> found;
  std::string text;
  for (const std::string& piece : pieces) {
    run->push(piece, false, found);
    text += piece;
    EXPECT_LE(text.size() - run->undecided(), kPiiBytesMax);
  }
  run->push({}, true, found);
  Spans spans;
  for (const Finding& f : found) {
    spans.push_back(std::string(name_of(f.label.pii)) + ":" +
                    text.substr(f.begin, f.end - f.begin));
  }
  return spans;
}

Spans find(const char* text) { return find(std::vector<std::string>{text}); }

TEST(Pii, EmailAddresses) {
  EXPECT_EQ(find("Write to bob.b+x@mail.example.co.uk."),
            Spans{"EMAIL:bob.b+x@mail.example.co.uk"});
  EXPECT_EQ(find("<'bob@example.com'>,ann@example.org"),
            (Spans{"EMAIL:bob@example.com", "EMAIL:ann@example.org"}));
  EXPECT_EQ(find("bob@example.com.5 bob@example.com-"),
            (Spans{"EMAIL:bob@example.com", "EMAIL:bob@example.com"}));
  EXPECT_EQ(find("@bob bob@ bob@example bob@.com a@b..com .@x.com bob.@x.com x@-y.com"), Spans{});
  const std::string local(kEmailLocalBytesMax, 'a');
  EXPECT_EQ(find({local + "@x.com"}), Spans{"EMAIL:" + local + "@x.com"});
  EXPECT_EQ(find({local + "a@x.com"}), Spans{});
  EXPECT_EQ(find({"a@" + std::string(kEmailDomainBytesMax, 'b') + ".com"}), Spans{});
}

TEST(Pii, CardNumbersHaveAnIssuerALengthAndLuhnsDigit) {
  EXPECT_EQ(find("4111 1111 1111 1111, 5555-5555-5555-4444, 378282246310005"),
            (Spans{"CREDIT_CARD:4111 1111 1111 1111", "CREDIT_CARD:5555-5555-5555-4444",
                   "CREDIT_CARD:378282246310005"}));
  EXPECT_EQ(find("3782 822463 10005; 4111 1111 1111 1111 12"),
            (Spans{"CREDIT_CARD:3782 822463 10005", "CREDIT_CARD:4111 1111 1111 1111"}));
  // One digit wrong; no issuer; too long; mixed separators; part of something longer.
  EXPECT_EQ(find("4111111111111112 9111111111111111 41111111111111111111"), Spans{});
  EXPECT_EQ(find("4111 1111-1111 1111 a4111111111111111 4111111111111111z"), Spans{});
  EXPECT_EQ(find("0000000000000000 41 11 11 11 11 11 11 11"), Spans{});
  const std::array<unsigned char, 11> luhn = {7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 3};
  EXPECT_TRUE(luhn_valid(luhn));
  EXPECT_FALSE(luhn_valid(std::span(luhn).subspan(1)));
  EXPECT_FALSE(luhn_valid({}));
}

TEST(Pii, IbansHaveTheirCountrysLengthAndChecksum) {
  EXPECT_EQ(find("DE89 3704 0044 0532 0130 00 or GB29NWBK60161331926819."),
            (Spans{"IBAN:DE89 3704 0044 0532 0130 00", "IBAN:GB29NWBK60161331926819"}));
  EXPECT_EQ(find("DE88370400440532013000 DE8937040044053201300 DE893704004405320130000"), Spans{});
  EXPECT_EQ(find("QQ89370400440532013000 de89370400440532013000"), Spans{});
  EXPECT_TRUE(iban_valid("NO9386011117947"));
  EXPECT_FALSE(iban_valid("NO9386011117948"));
  EXPECT_FALSE(iban_valid("NO"));
}

TEST(Pii, SocialSecurityNumbersThatCouldHaveBeenIssued) {
  EXPECT_EQ(find("123-45-6789 and 123 45 6789"),
            (Spans{"US_SSN:123-45-6789", "US_SSN:123 45 6789"}));
  EXPECT_EQ(find("000-45-6789 666-45-6789 900-45-6789 123-00-6789 123-45-0000"), Spans{});
  EXPECT_EQ(find("123456789 123-45-67890 1-123-45-6789 123-45 6789 123-45-6789-1"), Spans{});
}

TEST(Pii, PhoneNumbersThatAreWrittenAsSuch) {
  EXPECT_EQ(find("+49 30 901820, +1 (212) 555-0147; +442079460000."),
            (Spans{"PHONE:+49 30 901820", "PHONE:+1 (212) 555-0147", "PHONE:+442079460000"}));
  EXPECT_EQ(find("(212) 555-0147 212-555-0147 212.555.0147"),
            (Spans{"PHONE:(212) 555-0147", "PHONE:212-555-0147", "PHONE:212.555.0147"}));
  EXPECT_EQ(find("2125550147 112-555-0147 212-155-0147 +1234567 +0123456789 1+12345678"), Spans{});
  EXPECT_EQ(find("+1234567890123456 212-555-01478 9-212-555-0147"), Spans{});
}

TEST(Pii, Ipv4AddressesOfHosts) {
  EXPECT_EQ(find("10.1.2.3, 192.168.7.1:80 255.1.1.1 8.8.8.8."),
            (Spans{"IPV4:10.1.2.3", "IPV4:192.168.7.1", "IPV4:8.8.8.8"}));
  EXPECT_EQ(find("127.0.0.1 0.0.0.0 256.1.1.1 1.2.3 1.2.3.4.5 01.2.3.4 v1.2.3.4 1.2.3.4a"),
            Spans{});
}

TEST(Pii, ProseWaitsForTheEndOfItsWordAtMost) {
  const auto detector = make_pii_detector(true);
  const auto run = detector->start();
  std::vector<Finding> found;
  run->push("In 2024, 42 of us met the ", false, found);
  EXPECT_EQ(run->undecided(), 26u);
  run->push("mayo", false, found);
  EXPECT_EQ(run->undecided(), 26u);
  run->push("r (", false, found);
  EXPECT_EQ(run->undecided(), 32u);
  EXPECT_TRUE(found.empty());
}

TEST(Pii, FindsTheSameHoweverTheTextIsCut) {
  const auto [first, last] = seeds(500);
  for (auto seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("PLINTH_SEED=" + std::to_string(seed));
    Random random(seed);
    const std::string text = random_text(random);
    const Spans whole = find(std::vector<std::string>{text});
    ASSERT_EQ(find(random_pieces(text, random)), whole);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace plinth::governance
