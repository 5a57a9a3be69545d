#include "net/http/request_reader.h"

#include <gtest/gtest.h>

namespace plinth::net {
namespace {

constexpr char kGet[] =
    "GET /v1/models?limit=2 HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\n\r\n";
constexpr char kPost[] = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
constexpr char kChunked[] =
    "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: x\r\n\r\n";

ReadRefusal refusal_of(std::string_view bytes, const ReadLimits& limits = {}) {
  RequestReader reader(limits);
  return reader.feed(bytes) == ReadState::refused ? reader.refusal() : ReadRefusal{0, ""};
}

TEST(RequestReader, ReadsTargetHeadersAndQuery) {
  RequestReader reader({});
  ASSERT_EQ(reader.feed(kGet), ReadState::ready);
  const auto taken = reader.take();
  EXPECT_EQ(taken.request.method, "GET");
  EXPECT_EQ(taken.request.path, "/v1/models");
  EXPECT_EQ(taken.request.query, "limit=2");
  EXPECT_EQ(taken.request.header("x-one"), "1, 2");
  EXPECT_EQ(taken.request.header("absent"), "");
  EXPECT_TRUE(taken.keep_alive && taken.chunks);
  EXPECT_EQ(reader.state(), ReadState::empty);
}

// However the network cuts the bytes, the requests are the same.
TEST(RequestReader, AnySplitGivesTheSameRequests) {
  const std::string all = std::string(kPost) + kChunked + "\r\n" + kGet;
  for (std::size_t cut = 1; cut < all.size(); ++cut) {
    RequestReader reader({});
    std::vector<HttpRequest> requests;
    for (const auto& part : {all.substr(0, cut), all.substr(cut)}) {
      reader.feed(part);
      while (reader.state() == ReadState::ready) requests.push_back(reader.take().request);
    }
    ASSERT_EQ(requests.size(), 3u) << cut;
    EXPECT_EQ(requests[0].body, "hello");
    EXPECT_EQ(requests[1].body, "hello");
    EXPECT_EQ(requests[2].query, "limit=2");
    EXPECT_EQ(reader.state(), ReadState::empty);
  }
}

TEST(RequestReader, StopsAtTheEndOfOneRequest) {
  RequestReader reader({});
  ASSERT_EQ(reader.feed(std::string(kPost) + kPost), ReadState::ready);
  EXPECT_EQ(reader.bytes_left(), sizeof kPost - 1);
  reader.take();
  EXPECT_EQ(reader.state(), ReadState::ready);
}

TEST(RequestReader, RefusesWhatIsTooLarge) {
  ReadLimits limits{.body_bytes_max = 10, .header_bytes_max = 200, .uri_bytes_max = 20};
  const std::string head = "POST /p HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(refusal_of(head + "Content-Length: 11\r\n\r\n", limits).status, 413);
  EXPECT_EQ(refusal_of(head + "Content-Length: 10\r\n\r\n", limits).status, 0);
  EXPECT_EQ(
      refusal_of(head + "Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n", limits).status,
      413);
  EXPECT_EQ(refusal_of(head + "X: " + std::string(300, 'x'), limits).status, 431);
  EXPECT_EQ(
      refusal_of("GET /" + std::string(30, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits).status,
      414);
  EXPECT_EQ(refusal_of("GET /" + std::string(300, 'x'), limits).status, 414);
  // A chunk's extension has no end of its own.
  EXPECT_EQ(
      refusal_of(head + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(300, 'x'), limits)
          .status,
      431);
  std::string many = head;
  for (int i = 0; i < 200; ++i) many += "X: 1\r\n";
  EXPECT_EQ(refusal_of(many + "\r\n").status, 431);
}

// Request smuggling lives in what two parsers read differently.
TEST(RequestReader, RefusesWhatIsAmbiguous) {
  const std::string head = "POST /p HTTP/1.1\r\nHost: a\r\n";
  for (const std::string& bytes :
       {head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        head + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        head + "Content-Length: -1\r\n\r\n", head + "Content-Length: 5x\r\n\r\n",
        head + "Host: b\r\n\r\n", std::string("POST /p HTTP/1.1\r\n\r\n"),
        std::string("POST p HTTP/1.1\r\nHost: a\r\n\r\n"),
        std::string("POST /p HTTP/3.0\r\nHost: a\r\n\r\n"), head + "Bad Header: x\r\n\r\n",
        std::string("\x16\x03\x01\x02\x01\x01\xfc\x03\x03 tls hello"),
        head + "Transfer-Encoding: chunked\r\n\r\nzzz\r\n"}) {
    EXPECT_EQ(refusal_of(bytes).status, 400) << bytes;
  }
}

TEST(RequestReader, TellsOnceWhenTheClientWaitsForContinue) {
  const std::string head =
      "POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  RequestReader reader({});
  ASSERT_EQ(reader.feed(head), ReadState::body);
  EXPECT_TRUE(reader.take_expectation());
  EXPECT_FALSE(reader.take_expectation());
  ASSERT_EQ(reader.feed("ok"), ReadState::ready);
  EXPECT_EQ(reader.take().request.body, "ok");

  RequestReader eager({});
  ASSERT_EQ(eager.feed(head + "o"), ReadState::body);
  EXPECT_FALSE(eager.take_expectation());
  EXPECT_EQ(refusal_of("POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n").status, 417);
}

TEST(RequestReader, KnowsOldClientsAndProxies) {
  RequestReader reader({});
  ASSERT_EQ(reader.feed("GET http://host:80/x?y HTTP/1.0\r\n\r\n"), ReadState::ready);
  const auto taken = reader.take();
  EXPECT_EQ(taken.request.path, "/x");
  EXPECT_EQ(taken.request.query, "y");
  EXPECT_FALSE(taken.keep_alive || taken.chunks);
}

}  // namespace
}  // namespace plinth::net
