// Real sockets on loopback; time is a FakeClock, and every wait is for a condition.
#include "net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "net/testing/raw_client.h"

namespace plinth::net {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

// Replies that a test answers when it likes, and what became of them.
class Fixture : public testing::Test {
 protected:
  void listen(HttpServerOptions options = {}) {
    options.tick = std::chrono::milliseconds(1);
    auto server = HttpServer::listen(
        options, clock_,
        [this](HttpRequest request, HttpReplyPtr reply) { handle(std::move(request), reply); },
        [](int status, std::string_view reason) {
          return HttpAnswer{{{"x-refused", std::to_string(status)}}, std::string(reason)};
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  ~Fixture() override {
    held_.clear();
    server_.reset();
  }

  void handle(HttpRequest request, const HttpReplyPtr& reply) {
    if (request.path == "/echo") {
      return reply->send(200, {{"x-method", request.method}}, request.path + request.body);
    }
    if (request.path == "/drop") return;
    if (request.path == "/block") {
      std::unique_lock lock(mutex_);
      held_.push_back(reply);
      changed_.notify_all();
      changed_.wait_for(lock, seconds(30), [&] { return std::exchange(unblocked_, false); });
      return reply->send(200, {}, "");
    }
    reply->on_end([this](HttpEnd end) {
      std::lock_guard lock(mutex_);
      ends_.push_back(end);
      changed_.notify_all();
    });
    std::lock_guard lock(mutex_);
    held_.push_back(reply);
    changed_.notify_all();
  }
  // The next request to a path that is answered by the test.
  HttpReplyPtr next_held() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(30), [&] { return !held_.empty(); });
    if (held_.empty()) return nullptr;
    auto reply = held_.front();
    held_.erase(held_.begin());
    return reply;
  }
  // Lets the handler of /block go on.
  void unblock() {
    std::lock_guard lock(mutex_);
    unblocked_ = true;
    changed_.notify_all();
  }
  // None where nothing ended in time.
  std::optional<HttpEnd> next_end() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(30), [&] { return !ends_.empty(); });
    if (ends_.empty()) return std::nullopt;
    const auto end = ends_.front();
    ends_.erase(ends_.begin());
    return end;
  }
  // Moves the clock until `wait` returns. One jump would not do: the server may take its first
  // look at the time after it.
  template <typename Wait>
  auto while_time_passes(base::Duration step, Wait wait) {
    std::atomic<bool> done{false};
    std::thread mover([&] {
      while (!done) {
        clock_.advance(step);
        std::this_thread::yield();
      }
    });
    auto result = wait();
    done = true;
    mover.join();
    return result;
  }
  // What the peer gets until it is cut off or answered.
  std::string read_while_time_passes(Client& client, base::Duration step) {
    return while_time_passes(step, [&] { return client.read_to_end(); });
  }

  base::FakeClock clock_;
  std::unique_ptr<HttpServer> server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HttpReplyPtr> held_;  // protected by mutex_, as is
  std::vector<HttpEnd> ends_;
  bool unblocked_ = false;
};
using HttpServerTest = Fixture;

std::string request(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}

TEST_F(HttpServerTest, KeepsTheConnectionAndAnswersInOrder) {
  listen();
  Client client(server_->port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
  const auto first = client.read_answer();
  EXPECT_THAT(first, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(first, HasSubstr("date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"));
  EXPECT_TRUE(first.ends_with("\r\n\r\n/echohi"));
  client.send(request("/echo", "Connection: close\r\n"));
  const auto last = client.read_to_end();
  EXPECT_THAT(last, HasSubstr("connection: close\r\n"));
  EXPECT_TRUE(last.ends_with("/echo"));
}

// The second and third wait for the first, whose answer comes late.
TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  listen();
  Client client(server_->port());
  client.send(request("/held") + request("/echo") + request("/held"));
  auto first = next_held();
  ASSERT_NE(first, nullptr);
  {
    std::lock_guard lock(mutex_);
    EXPECT_TRUE(held_.empty());
  }
  first->send(200, {}, "first");
  EXPECT_TRUE(client.read_answer().ends_with("first"));
  EXPECT_TRUE(client.read_answer().ends_with("/echo"));
  auto third = next_held();
  ASSERT_NE(third, nullptr);
  third->send(200, {}, "third");
  EXPECT_TRUE(client.read_answer().ends_with("third"));
}

TEST_F(HttpServerTest, HeadHasTheHeadersOfGetAndNoBody) {
  listen();
  Client client(server_->port());
  client.send("HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n" + request("/echo", "Connection: close\r\n"));
  const auto both = client.read_to_end();
  const auto second = both.find("HTTP/1.1 200", 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_THAT(both.substr(0, second), HasSubstr("content-length: 5\r\n"));
  EXPECT_TRUE(both.substr(0, second).ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, AsksForTheBodyOfWhoWaits) {
  listen();
  Client client(server_->port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_TRUE(client.read_answer().ends_with("/echook"));
  // Who asks first does not send a body that is too large.
  client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, StreamsChunksToNewClientsAndBytesToOld) {
  listen();
  for (const bool old : {false, true}) {
    Client client(server_->port());
    client.send(old ? "GET /s HTTP/1.0\r\n\r\n" : request("/s", "Connection: close\r\n"));
    auto reply = next_held();
    ASSERT_NE(reply, nullptr);
    reply->start_stream(200, {{"x-a", "b"}});
    EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("x-a: b\r\n"));
    EXPECT_TRUE(reply->write("one "));
    // The first piece arrives while the stream is open.
    EXPECT_EQ(client.read_until(old ? "one " : "4\r\none \r\n"), old ? "one " : "4\r\none \r\n");
    reply->write(std::string(100, 'x'));
    reply->end_stream();
    EXPECT_EQ(client.read_to_end(),
              old ? std::string(100, 'x') : "64\r\n" + std::string(100, 'x') + "\r\n0\r\n\r\n");
    EXPECT_EQ(next_end(), HttpEnd::sent);
    EXPECT_FALSE(reply->write("late"));
  }
}

TEST_F(HttpServerTest, ABrokenStreamHasNoLastChunk) {
  listen();
  Client client(server_->port());
  client.send(request("/s"));
  auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  reply->start_stream(200, {});
  reply->write("x");
  reply->break_off();
  EXPECT_TRUE(client.read_to_end().ends_with("\r\n1\r\nx\r\n"));
}

TEST_F(HttpServerTest, AnAnswerThatIsDroppedBecomesAnError) {
  listen();
  Client client(server_->port());
  client.send(request("/drop"));
  EXPECT_THAT(client.read_answer(), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpServerTest, HeaderValuesCannotStartAnAnswerOfTheirOwn) {
  listen();
  Client client(server_->port());
  client.send(request("/held"));
  auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  reply->send(200, {{"x-evil", "a\r\nx-injected: b"}, {"x-fine", "c"}}, "");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.find("injected"), std::string::npos);
  EXPECT_THAT(answer, HasSubstr("x-fine: c\r\n"));
}

TEST_F(HttpServerTest, RefusesInTheDialectsFormAndCloses) {
  listen({.body_bytes_max = 1 << 20, .header_bytes_max = 16384, .uri_bytes_max = 1000});
  const std::pair<int, std::string> cases[] = {
      {400, "nonsense\r\n\r\n"},
      {414, "GET /" + std::string(2000, 'u') + " HTTP/1.1\r\nHost: a\r\n\r\n"},
      {431, "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20000, 'h') + "\r\n\r\n"},
      {413, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n" +
                std::string(2 << 20, 'b')},
  };
  for (const auto& [status, bytes] : cases) {
    Client client(server_->port());
    client.send(bytes);
    const auto answer = client.read_to_end();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(status))) << status;
    EXPECT_THAT(answer, HasSubstr("x-refused: " + std::to_string(status)));
    EXPECT_THAT(answer, HasSubstr("connection: close\r\n"));
  }
}

TEST_F(HttpServerTest, BoundsTheBodiesOfAllConnectionsTogether) {
  listen({.bodies_bytes_max = 100'000});
  const auto post = [](std::size_t size) {
    return "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) +
           "\r\n\r\n" + std::string(size, 'b');
  };
  for (int round = 0; round < 3; ++round) {
    Client much(server_->port());
    much.send(post(120'000));
    EXPECT_THAT(much.read_to_end(), StartsWith("HTTP/1.1 503 "));
    // What was counted is given back.
    Client enough(server_->port());
    enough.send(post(90'000) + post(90'000));
    EXPECT_THAT(enough.read_answer(), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(enough.read_answer(), StartsWith("HTTP/1.1 200 "));
  }
}

TEST_F(HttpServerTest, NoticesAClientThatLeavesWhileNothingIsWritten) {
  listen();
  Client client(server_->port());
  client.send(request("/held"));
  auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  client.close();
  EXPECT_EQ(next_end(), HttpEnd::gone);
  reply->send(200, {}, "too late");
  // Who looks only now is told at once.
  bool told = false;
  reply->on_end([&](HttpEnd end) { told = end == HttpEnd::gone; });
  EXPECT_TRUE(told);
}

TEST_F(HttpServerTest, AnswersWhoClosedTheSendingHalfOnly) {
  listen();
  Client client(server_->port());
  client.send(request("/echo") + request("/echo"));
  client.end_sending();
  const auto both = client.read_to_end();
  EXPECT_NE(both.find("HTTP/1.1 200", 1), std::string::npos);
}

TEST_F(HttpServerTest, CutsOffAReaderWhoseBufferIsFull) {
  listen({.stream_bytes_max = 64u << 10});
  Client client(server_->port());
  client.send(request("/s"));
  auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  reply->start_stream(200, {});
  const std::string piece(16u << 10, 'x');
  // The kernel takes some MiB on loopback; what is behind it is bounded.
  std::size_t written = 0;
  while (reply->write(piece) && written < (64u << 20)) written += piece.size();
  EXPECT_LT(written, 64u << 20);
  EXPECT_EQ(next_end(), HttpEnd::gone);
}

TEST_F(HttpServerTest, CutsOffAReaderThatTakesNothingForTooLong) {
  listen();
  Client client(server_->port());
  client.send(request("/held"));
  auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  reply->send(200, {}, std::string(32u << 20, 'x'));
  EXPECT_EQ(while_time_passes(seconds(1), [&] { return next_end(); }), HttpEnd::gone);
}

TEST_F(HttpServerTest, CutsOffWhoSendsTooSlowly) {
  listen();
  Client idle(server_->port());
  EXPECT_EQ(read_while_time_passes(idle, seconds(1)), "");
  Client head(server_->port());
  head.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_THAT(read_while_time_passes(head, seconds(1)), StartsWith("HTTP/1.1 408 "));
  Client body(server_->port());
  body.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
  EXPECT_THAT(read_while_time_passes(body, seconds(1)), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServerTest, SendsHeartbeatsAndKeepsDeadlines) {
  listen();
  Client client(server_->port());
  client.send(request("/s", "Connection: close\r\n"));
  auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  reply->set_heartbeat(seconds(10), ": ping\n\n");
  reply->on_deadline(seconds(60), [reply] { reply->end_stream(); });
  reply->start_stream(200, {});
  clock_.advance(seconds(11));
  EXPECT_THAT(client.read_until(": ping\n\n"), HasSubstr("8\r\n: ping\n\n"));
  clock_.advance(seconds(50));
  EXPECT_THAT(client.read_to_end(), HasSubstr("0\r\n\r\n"));
}

TEST_F(HttpServerTest, TellsWhoIsOneTooMany) {
  listen({.connections_max = 2});
  Client first(server_->port()), second(server_->port());
  first.send(request("/s"));
  second.send(request("/s"));
  const auto one = next_held(), two = next_held();
  ASSERT_NE(two, nullptr);
  Client third(server_->port());
  third.send(request("/echo"));
  EXPECT_THAT(third.read_to_end(), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(server_->connections(), 2);
  one->send(200, {}, "done");
  two->send(200, {}, "done");
  EXPECT_THAT(first.read_answer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(second.read_answer(), StartsWith("HTTP/1.1 200 "));
  Client next(server_->port());
  next.send(request("/echo"));
  EXPECT_THAT(next.read_answer(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, TheLongestIdleConnectionMakesRoom) {
  listen({.connections_max = 3});
  Client old(server_->port()), busy(server_->port()), recent(server_->port());
  busy.send(request("/s"));
  const auto held = next_held();
  ASSERT_NE(held, nullptr);
  for (auto* client : {&recent, &old, &recent}) {
    client->send(request("/echo"));
    EXPECT_THAT(client->read_answer(), StartsWith("HTTP/1.1 200 "));
  }
  Client fresh(server_->port());
  fresh.send(request("/s"));
  EXPECT_EQ(old.read_to_end(), "");
  const auto also_held = next_held();
  ASSERT_NE(also_held, nullptr);
  recent.send(request("/echo"));
  EXPECT_THAT(recent.read_answer(), StartsWith("HTTP/1.1 200 "));
  // A connection on which nothing was ever asked is idle too.
  Client silent(server_->port());
  EXPECT_EQ(recent.read_to_end(), "");
  Client next(server_->port());
  EXPECT_EQ(silent.read_to_end(), "");
  EXPECT_EQ(server_->connections(), 3);
  held->send(200, {}, "done");
  also_held->send(200, {}, "done");
  EXPECT_THAT(busy.read_answer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(fresh.read_answer(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, WhoAskedInTimeIsNotEvictedWithoutAWord) {
  listen({.connections_max = 2});
  for (const bool asks_first : {true, false}) {
    Client blocker(server_->port()), idle(server_->port());
    for (auto* client : {&idle, &blocker}) {
      client->send(request("/echo"));
      EXPECT_THAT(client->read_answer(), StartsWith("HTTP/1.1 200 "));
    }
    // While the server's thread is in a handler, a request and one connection too many arrive.
    blocker.send(request("/block"));
    next_held();
    if (asks_first) idle.send(request("/echo"));
    Client newcomer(server_->port());
    newcomer.send(request("/echo"));
    if (!asks_first) idle.send(request("/echo"));
    unblock();
    EXPECT_THAT(idle.read_answer(),
                testing::AnyOf(StartsWith("HTTP/1.1 200 "), StartsWith("HTTP/1.1 503 ")));
    EXPECT_THAT(newcomer.read_answer(),
                testing::AnyOf(StartsWith("HTTP/1.1 200 "), StartsWith("HTTP/1.1 503 ")));
  }
}

TEST_F(HttpServerTest, MakesRoomOnEveryThread) {
  listen({.io_threads = 3, .connections_max = 16});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<Client>(server_->port()));
    clients.back()->send(request("/echo"));
    ASSERT_THAT(clients.back()->read_answer(), StartsWith("HTTP/1.1 200 ")) << i;
  }
  EXPECT_LE(server_->connections(), 16);
}

TEST_F(HttpServerTest, DrainLetsRunningRequestsEnd) {
  listen();
  Client idle(server_->port()), busy(server_->port());
  busy.send(request("/s"));
  auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  std::thread drain([&] { server_->drain(seconds(60)); });
  EXPECT_EQ(idle.read_to_end(), "");
  reply->send(200, {}, "done");
  const auto answer = busy.read_to_end();
  drain.join();
  EXPECT_THAT(answer, HasSubstr("connection: close\r\n"));
  EXPECT_TRUE(answer.ends_with("done"));
  EXPECT_FALSE(Client(server_->port()).connected());
}

TEST_F(HttpServerTest, DrainEndsWhoTakesTooLong) {
  listen();
  Client busy(server_->port());
  busy.send(request("/s"));
  auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  server_->drain(std::chrono::milliseconds(1));
  EXPECT_EQ(busy.read_to_end(), "");
  EXPECT_EQ(next_end(), HttpEnd::gone);
}

// Bodies that take long to parse must not hold up streams: they are handled elsewhere.
TEST_F(HttpServerTest, ALargeBodyIsHandledBesideTheStreams) {
  HttpServerOptions options;
  options.tick = std::chrono::milliseconds(1);
  std::mutex gate;
  auto server = HttpServer::listen(
      options, clock_,
      [&](HttpRequest request, HttpReplyPtr reply) {
        if (request.body.size() > 1000) std::lock_guard wait(gate);
        reply->send(200, {}, std::to_string(request.body.size()));
      },
      [](int, std::string_view) { return HttpAnswer{}; });
  ASSERT_TRUE(server.ok());
  Client large((*server)->port()), small((*server)->port());
  {
    std::lock_guard closed(gate);
    large.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" +
               std::string(1'000'000, 'x'));
    small.send(request("/"));
    EXPECT_TRUE(small.read_answer().ends_with("\r\n\r\n0"));
  }
  EXPECT_TRUE(large.read_answer().ends_with("\r\n\r\n1000000"));
}

TEST_F(HttpServerTest, HoldsAThousandStreams) {
  HttpServerOptions options;
  options.io_threads = 2;
  listen(options);
  constexpr int kStreams = 1000;
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<HttpReplyPtr> replies;
  for (int i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<Client>(server_->port()));
    ASSERT_TRUE(clients.back()->connected()) << i;
    clients.back()->send(request("/s"));
    replies.push_back(next_held());
    ASSERT_NE(replies.back(), nullptr) << i;
    replies.back()->start_stream(200, {});
  }
  EXPECT_EQ(server_->connections(), kStreams);
  for (int token = 0; token < 3; ++token) {
    for (auto& reply : replies) ASSERT_TRUE(reply->write("data: token\n\n"));
  }
  for (auto& reply : replies) reply->end_stream();
  for (auto& client : clients) {
    const auto all = client->read_until("\r\n0\r\n\r\n");
    std::size_t tokens = 0;
    for (auto at = all.find("token"); at != std::string::npos; at = all.find("token", at + 1))
      ++tokens;
    ASSERT_EQ(tokens, 3u);
  }
}

TEST(HttpServer, SaysWhyItCannotListen) {
  const base::RealClock clock;
  HttpServerOptions options;
  options.address = "nowhere";
  const auto failed = HttpServer::listen(options, clock, {}, {});
  EXPECT_TRUE(absl::IsInvalidArgument(failed.status()));
  options.address = "127.0.0.1";
  const auto first = HttpServer::listen(options, clock, {}, {});
  ASSERT_TRUE(first.ok());
  options.port = (*first)->port();
  EXPECT_TRUE(absl::IsUnavailable(HttpServer::listen(options, clock, {}, {}).status()));
}

}  // namespace
}  // namespace plinth::net
