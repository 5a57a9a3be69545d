#include "api/client_address.h"

#include <gtest/gtest.h>

#include <vector>

namespace plinth::api {
namespace {

std::string seen(std::string_view peer, std::string_view forwarded_for,
                 const std::vector<std::string>& trusted) {
  std::vector<governance::Network> networks;
  networks.reserve(trusted.size());
  for (const auto& text : trusted) networks.push_back(*governance::Network::parse(text));
  return client_address(peer, forwarded_for, networks);
}

TEST(ClientAddress, IsThePeersWhereNoProxyIsTrusted) {
  EXPECT_EQ(seen("192.0.2.7", "198.51.100.1", {}), "192.0.2.7");
  EXPECT_EQ(seen("192.0.2.7", "198.51.100.1", {"10.0.0.0/8"}), "192.0.2.7");
}

TEST(ClientAddress, IsWhomATrustedProxyNames) {
  EXPECT_EQ(seen("10.0.0.1", "198.51.100.1", {"10.0.0.0/8"}), "198.51.100.1");
  EXPECT_EQ(seen("10.0.0.1", "", {"10.0.0.0/8"}), "10.0.0.1");
  EXPECT_EQ(seen("::ffff:10.0.0.1", "2001:db8::7", {"10.0.0.0/8"}), "2001:db8::7");
  EXPECT_EQ(seen("10.0.0.1", "198.51.100.1:4711", {"10.0.0.0/8"}), "198.51.100.1");
  EXPECT_EQ(seen("10.0.0.1", "[2001:db8::7]:4711", {"10.0.0.0/8"}), "2001:db8::7");
}

TEST(ClientAddress, PassesOverAChainOfTrustedProxies) {
  EXPECT_EQ(seen("10.0.0.1", "198.51.100.1, 10.0.0.3 ,10.0.0.2", {"10.0.0.0/8"}), "198.51.100.1");
  EXPECT_EQ(seen("10.0.0.1", "10.0.0.3, 10.0.0.2", {"10.0.0.0/8"}), "10.0.0.3");
}

// Whatever a client writes into the header stands before what proxies add.
TEST(ClientAddress, BelievesNothingThatTheClientWrote) {
  EXPECT_EQ(seen("10.0.0.1", "127.0.0.1, 198.51.100.1", {"10.0.0.0/8"}), "198.51.100.1");
  EXPECT_EQ(seen("10.0.0.1", "10.0.0.9, 198.51.100.1, 10.0.0.2", {"10.0.0.0/8"}), "198.51.100.1");
  EXPECT_EQ(seen("198.51.100.1", "127.0.0.1", {"10.0.0.0/8"}), "198.51.100.1");
}

TEST(ClientAddress, StopsAtWhatIsNoAddress) {
  for (const char* entry :
       {"unknown", "_hidden", "", ",", "1.2.3.4.5", "0.0.0.0/0", "[::1", "a:b"}) {
    EXPECT_EQ(seen("10.0.0.1", entry, {"10.0.0.0/8"}), "10.0.0.1") << entry;
    EXPECT_EQ(seen("10.0.0.1", std::string(entry) + ", 10.0.0.2", {"10.0.0.0/8"}), "10.0.0.2")
        << entry;
  }
}

}  // namespace
}  // namespace plinth::api
