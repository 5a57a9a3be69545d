// Bodies that are read in pieces while they arrive, and streams that wait for their client.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "net/http_server.h"
#include "net/testing/raw_client.h"

namespace plinth::net {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::uint64_t kMost = 64u << 20;

class HttpBodyTest : public testing::Test {
 protected:
  void SetUp() override { listen({}); }
  void listen(HttpServerOptions options) {
    options.tick = std::chrono::milliseconds(1);
    options.streamed = [](std::string_view method,
                          std::string_view path) -> std::optional<std::uint64_t> {
      if (method == "POST" && path.starts_with("/stream")) return kMost;
      return std::nullopt;
    };
    auto server = HttpServer::listen(
        options, clock_,
        [this](HttpRequest request, HttpReplyPtr reply) { handle(std::move(request), reply); },
        [](int status, std::string_view reason) {
          return HttpAnswer{{{"x-refused", std::to_string(status)}}, std::string(reason)};
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  ~HttpBodyTest() override {
    held_.clear();
    bodies_.clear();
    server_.reset();
  }

  void handle(HttpRequest request, const HttpReplyPtr& reply) {
    if (request.stream == nullptr) return reply->send(200, {}, "whole " + request.body);
    EXPECT_EQ(request.body, "");
    if (request.path == "/stream/refused") return reply->send(401, {}, "no");
    if (request.path == "/stream/held") {
      std::lock_guard lock(mutex_);
      held_.push_back(reply);
      bodies_.push_back(request.stream);
      changed_.notify_all();
      return;
    }
    read_on(request.stream, reply, std::make_shared<std::string>());
  }
  // Answers with how long the body was, and its end.
  void read_on(const std::shared_ptr<HttpBody>& body, const HttpReplyPtr& reply,
               const std::shared_ptr<std::string>& all) {
    body->read([=, this](absl::StatusOr<std::string> piece) {
      if (!piece.ok()) {
        std::lock_guard lock(mutex_);
        failed_ = piece.status();
        changed_.notify_all();
        return;
      }
      pieces_ += 1;
      if (piece->size() > largest_) largest_ = piece->size();
      *all += *piece;
      if (!piece->empty()) return read_on(body, reply, all);
      reply->send(200, {}, std::to_string(all->size()) + " " + all->substr(0, 20));
    });
  }
  HttpReplyPtr next_held() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(30), [&] { return !held_.empty(); });
    return held_.empty() ? nullptr : held_.back();
  }
  std::string failure() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(30), [&] { return !failed_.ok(); });
    return std::string(base::message(failed_));
  }

  base::FakeClock clock_;
  std::unique_ptr<HttpServer> server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HttpReplyPtr> held_;  // protected by mutex_, as are
  std::vector<std::shared_ptr<HttpBody>> bodies_;
  absl::Status failed_;
  std::atomic<std::size_t> pieces_ = 0, largest_ = 0;
};

std::string post(std::string_view path, std::size_t size, std::string_view more = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(size) + "\r\n\r\n";
}

TEST_F(HttpBodyTest, ReadsALongBodyInPiecesAndGoesOn) {
  Client client(server_->port());
  const std::string body(20u << 20, 'x');  // past what is read whole
  for (int round = 0; round < 2; ++round) {
    client.send(post("/stream", body.size()));
    client.send(body);
    const auto answer = client.read_answer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
    EXPECT_TRUE(answer.ends_with(std::to_string(body.size()) + " " + std::string(20, 'x')));
  }
  EXPECT_GT(pieces_, 40u);
  EXPECT_LT(largest_, 2 * kHttpStreamedBytesMax);
  client.send(post("/whole", 2) + "hi");
  EXPECT_TRUE(client.read_answer().ends_with("whole hi"));
}

TEST_F(HttpBodyTest, ReadsChunksEmptyBodiesAndWhatFollows) {
  Client client(server_->port());
  client.send(
      "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" +
      post("/stream", 0) + post("/stream?a=b", 3) + "abc" + post("/whole", 2) + "hi");
  EXPECT_TRUE(client.read_answer().ends_with("5 hello"));
  EXPECT_TRUE(client.read_answer().ends_with("0 "));
  EXPECT_TRUE(client.read_answer().ends_with("3 abc"));
  EXPECT_TRUE(client.read_answer().ends_with("whole hi"));
}

// Nobody reads: the peer is not read either, past what may wait.
TEST_F(HttpBodyTest, WhatNobodyReadsStaysWithThePeer) {
  Client client(server_->port());
  const std::size_t size = 50u << 20;
  client.send(post("/stream/held", size));
  const auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  // What the kernel takes on either side is a few megabytes.
  const std::string body(size, 'x');
  const auto taken = client.send_while_taken(body);
  EXPECT_LT(taken, 30u << 20);
  read_on(bodies_[0], reply, std::make_shared<std::string>());
  client.send(std::string_view(body).substr(taken));
  EXPECT_TRUE(client.read_answer().ends_with(std::to_string(size) + " " + std::string(20, 'x')));
}

TEST_F(HttpBodyTest, AnAnswerBeforeTheEndClosesTheConnection) {
  Client client(server_->port());
  client.send(post("/stream/refused", 10u << 20) + std::string(1000, 'x'));
  const auto answer = client.read_to_end();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(answer, HasSubstr("connection: close\r\n"));
}

TEST_F(HttpBodyTest, WhoWaitsToBeAskedIsAskedOnceSomebodyReads) {
  Client client(server_->port());
  client.send(post("/stream/held", 5, "Expect: 100-continue\r\n"));
  const auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  read_on(bodies_[0], reply, std::make_shared<std::string>());
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hello");
  EXPECT_TRUE(client.read_answer().ends_with("5 hello"));
  // And not at all where the answer is there already.
  client.send(post("/stream/refused", 5, "Expect: 100-continue\r\n"));
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 401"));
}

TEST_F(HttpBodyTest, TooLongBodiesAreRefused) {
  Client client(server_->port());
  client.send(post("/stream", kMost + 1));
  EXPECT_THAT(client.read_to_end(), HasSubstr("x-refused: 413"));
  Client whole(server_->port());
  whole.send(post("/whole", kHttpBodyBytesMax + 1));
  EXPECT_THAT(whole.read_to_end(), HasSubstr("x-refused: 413"));
}

TEST_F(HttpBodyTest, WhoReadsLearnsThatTheRestDoesNotCome) {
  {
    Client client(server_->port());
    client.send(post("/stream", 100) + "half");
    client.close();
    EXPECT_EQ(failure(), "The client left.");
  }
  failed_ = absl::OkStatus();
  Client client(server_->port());
  client.send(
      "POST /stream/held HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
  const auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  read_on(bodies_[0], reply, std::make_shared<std::string>());
  client.send("nonsense\r\n");
  EXPECT_THAT(client.read_to_end(), HasSubstr("x-refused: 400"));
  EXPECT_THAT(failure(), StartsWith("Malformed HTTP request"));
}

TEST_F(HttpBodyTest, OnlyAPeerThatIsWaitedForHasADeadline) {
  Client held(server_->port());
  held.send(post("/stream/held", 5));
  const auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  Client slow(server_->port());
  slow.send(post("/stream", 100) + "x");
  std::atomic<bool> done = false;
  std::thread mover([&] {
    while (!done) {
      clock_.advance(seconds(1));
      std::this_thread::yield();
    }
  });
  EXPECT_THAT(slow.read_to_end(), HasSubstr("x-refused: 408"));
  done = true;
  mover.join();
  // Nobody read the other one, for as long.
  read_on(bodies_[0], reply, std::make_shared<std::string>());
  held.send("hello");
  EXPECT_TRUE(held.read_answer().ends_with("5 hello"));
}

// A byte now and then is no progress, however often somebody asks for the next one.
TEST_F(HttpBodyTest, ATrickleIsCutOff) {
  Client client(server_->port());
  client.send(post("/stream", 1'000'000));
  std::atomic<bool> done = false;
  std::thread trickle([&] {
    while (!done) {
      client.send("x");
      clock_.advance(seconds(1));
      std::this_thread::yield();
    }
  });
  EXPECT_THAT(client.read_to_end(), HasSubstr("x-refused: 408"));
  done = true;
  trickle.join();
}

TEST_F(HttpBodyTest, AStreamGoesOnWhenItsClientHasTakenWhatWasThere) {
  Client client(server_->port());
  client.send(post("/stream/held", 0));
  const auto reply = next_held();
  ASSERT_NE(reply, nullptr);
  reply->start_stream(200, {});
  // Far past stream_bytes_max together.
  constexpr int kPieces = 200;
  auto left = std::make_shared<std::atomic<int>>(kPieces);
  auto step = std::make_shared<std::function<void()>>();
  *step = [=, weak = std::weak_ptr(step)] {
    if (--*left < 0) return reply->end_stream();
    EXPECT_TRUE(reply->write(std::string(100'000, 'x')));
    if (const auto next = weak.lock()) reply->when_taken([next] { (*next)(); });
  };
  (*step)();
  const auto all = client.read_until("\r\n0\r\n\r\n");
  EXPECT_GT(all.size(), 100'000u * kPieces);
}

}  // namespace
}  // namespace plinth::net
