#include "governance/network.h"

#include <gtest/gtest.h>

namespace plinth::governance {
namespace {

TEST(Network, ParsesWhatItShould) {
  for (const char* text :
       {"192.0.2.0/24", "192.0.2.7", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1"}) {
    EXPECT_TRUE(Network::parse(text).ok()) << text;
  }
  for (const char* text : {"", "/8", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/",
                           "192.0.2.0/8x", "::1/127", "host", "192.0.2", "1.2.3.4.5"}) {
    EXPECT_FALSE(Network::parse(text).ok()) << text;
  }
}

TEST(Network, ContainsItsAddresses) {
  const auto v4 = *Network::parse("192.0.2.128/25");
  EXPECT_TRUE(v4.contains("192.0.2.128"));
  EXPECT_TRUE(v4.contains("::ffff:192.0.2.255"));
  EXPECT_FALSE(v4.contains("192.0.2.127"));
  EXPECT_FALSE(v4.contains("::1"));
  EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains("8.8.8.8"));
  EXPECT_FALSE(Network::parse("0.0.0.0/0")->contains("2001:db8::1"));
  EXPECT_TRUE(Network::parse("2001:db8::/33")->contains("2001:db8:7fff::1"));
  EXPECT_FALSE(Network::parse("2001:db8::/33")->contains("2001:db8:8000::1"));
}

}  // namespace
}  // namespace plinth::governance
