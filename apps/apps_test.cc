#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "apps/listen_address.h"
#include "apps/service_connection.h"
#include "apps/terminal.h"

namespace plinth {
namespace {

TEST(ListenAddress, ReadsWhatPeopleWrite) {
  const auto four = parse_listen("127.0.0.1:8080", false);
  ASSERT_TRUE(four.ok());
  EXPECT_EQ(four->url(9), "http://127.0.0.1:9");
  const auto six = parse_listen("[::1]:0", false);
  ASSERT_TRUE(six.ok());
  EXPECT_EQ(six->address, "::1");
  EXPECT_EQ(six->url(9), "http://[::1]:9");
  EXPECT_EQ(parse_listen("localhost:1", false)->address, "127.0.0.1");
  for (const char* wrong : {"", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000",
                            "127.0.0.1:8x", "example.org:80", "127.0.0.1:-1"}) {
    EXPECT_EQ(parse_listen(wrong, true).status().code(), absl::StatusCode::kInvalidArgument)
        << wrong;
  }
}

TEST(ListenAddress, BeyondThisMachineOnlyByName) {
  for (const char* open : {"0.0.0.0:80", "[::]:80", "192.168.1.2:80"}) {
    const auto refused = parse_listen(open, false).status();
    EXPECT_NE(base::message(refused).find("--allow-plaintext"), std::string_view::npos) << open;
    EXPECT_TRUE(parse_listen(open, true).ok()) << open;
  }
  EXPECT_EQ(parse_listen("0.0.0.0:80", true)->url(80), "http://127.0.0.1:80");
}

TEST(ServiceConnection, KnowsLoopback) {
  EXPECT_TRUE(is_this_machine("http://127.0.0.1:80"));
  EXPECT_TRUE(is_this_machine("http://[::1]:80/v1"));
  EXPECT_TRUE(is_this_machine("http://localhost:80"));
  EXPECT_FALSE(is_this_machine("https://models.example.org/127.0.0.1"));
}

TEST(Terminal, WritesBytesForPeople) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(98362432), "93.8 MiB");
  EXPECT_EQ(human_bytes(3ull << 40), "3.0 TiB");
}

}  // namespace
}  // namespace plinth
