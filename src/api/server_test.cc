// The gateway over real sockets, with a model service whose events the test sends itself.
#include "api/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "base/file.h"
#include "tests/support/source_dir.h"

namespace plinth::api {
namespace {

using protocol::GenerateEvent;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ManualModels final : public cluster::ModelService {
 public:
  std::vector<cluster::ModelCard> list() const override { return {*find("m")}; }
  absl::StatusOr<cluster::ModelCard> find(const std::string& name) const override {
    if (name != "m" && name != "own/er" && name != "encoder") return base::not_found(name);
    cluster::ModelCard card;
    card.id = name;
    card.embeds = name == "encoder";
    card.generates = !card.embeds;
    return card;
  }
  std::unique_ptr<cluster::Call> generate(protocol::GenerateRequest,
                                          cluster::GenerateSink sink) override {
    if (prepares) sink({prepared});
    std::lock_guard lock(mutex_);
    sinks_.push_back(std::move(sink));
    changed_.notify_all();
    return std::make_unique<Handle>(*this);
  }
  std::unique_ptr<cluster::Call> embed(protocol::EmbedRequest, cluster::EmbedSink sink) override {
    std::lock_guard lock(mutex_);
    embed_sinks_.push_back(std::move(sink));
    changed_.notify_all();
    return std::make_unique<Handle>(*this);
  }
  bool ready() const override { return true; }

  bool prepares = true;  // whether calls say what they cost, as held ones must
  protocol::Prepared prepared{3, 10};
  // What the calls were committed with, once there are so many commits.
  std::vector<std::int32_t> commits(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, seconds(30), [&] { return commits_.size() >= count; }));
    return commits_;
  }

  // The sink of the next call.
  cluster::GenerateSink next() { return next_of(sinks_); }
  cluster::EmbedSink next_embed() { return next_of(embed_sinks_); }
  bool wait_for_ended(int calls) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(30), [&] { return ended_ == calls; });
  }

 private:
  template <typename Sink>
  Sink next_of(std::vector<Sink>& sinks) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, seconds(30), [&] { return !sinks.empty(); }));
    if (sinks.empty()) return [](auto&&) {};
    auto sink = std::move(sinks.front());
    sinks.erase(sinks.begin());
    return sink;
  }
  class Handle final : public cluster::Call {
   public:
    explicit Handle(ManualModels& models) : models_(models) {}
    ~Handle() override { cancel(); }
    void commit(std::int32_t pinned_tokens) override {
      std::lock_guard lock(models_.mutex_);
      models_.commits_.push_back(pinned_tokens);
      models_.changed_.notify_all();
    }
    void cancel() override {
      if (std::exchange(ended_, true)) return;
      std::lock_guard lock(models_.mutex_);
      ++models_.ended_;
      models_.changed_.notify_all();
    }

   private:
    ManualModels& models_;
    bool ended_ = false;
  };
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<cluster::GenerateSink> sinks_;  // protected by mutex_, as are the following
  std::vector<cluster::EmbedSink> embed_sinks_;
  std::vector<std::int32_t> commits_;
  int ended_ = 0;
};

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "server_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    database_ = *store::Database::open(home_ + "/plinth.db");
    governance_ = *governance::Governance::open(home_, *database_, clock_);
    key_ = governance_->keys().first_start()->api_key;
    options_.port = 0;
    options_.cors_origins = {"https://app.example"};
  }
  void TearDown() override {
    server_.reset();
    governance_.reset();
    std::filesystem::remove_all(home_);
  }
  void start() {
    auto server = Server::create(options_, models_, *governance_, clock_, metrics_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  base::UniqueFd connect() {
    if (server_ == nullptr) start();
    base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{30, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static void send(const base::UniqueFd& fd, const std::string& bytes) {
    EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  static std::string read_until(const base::UniqueFd& fd, std::string_view mark) {
    std::string all;
    char byte = 0;
    while ((mark.empty() || all.find(mark) == std::string::npos) &&
           ::recv(fd.get(), &byte, 1, 0) == 1)
      all += byte;
    return all;
  }
  std::string request(const std::string& line, const std::string& body = "",
                      const std::string& headers = "") const {
    return line + " HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer " + key_ +
           "\r\n" + headers + "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  std::string ask(const std::string& bytes) {
    const auto fd = connect();
    send(fd, bytes);
    return read_until(fd, "");
  }
  static std::string chat(bool stream) {
    return std::string(R"({"model":"m","messages":[{"role":"user","content":"hi"}],"stream":)") +
           (stream ? "true}" : "false}");
  }

  base::FakeClock clock_;
  base::Metrics metrics_;
  ManualModels models_;
  std::string home_, key_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<governance::Governance> governance_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

// A key that is for one network, behind a proxy on this machine.
TEST_F(ServerTest, BelievesTrustedProxiesAloneOnWhoAsks) {
  governance::KeySpec spec;
  spec.project = "default";
  spec.networks = {"203.0.113.0/24"};
  key_ = governance_->keys().create(spec)->text;
  const auto asks = [&](const std::string& from) {
    return ask(request("GET /v1/models", "", "x-forwarded-for: " + from + "\r\n"));
  };
  EXPECT_THAT(asks("203.0.113.7"), testing::Not(StartsWith("HTTP/1.1 200")));
  server_.reset();
  options_.trusted_proxies = {"127.0.0.0/8"};
  EXPECT_THAT(asks("203.0.113.7"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(asks("203.0.113.7, 198.51.100.1"), testing::Not(StartsWith("HTTP/1.1 200")));
  server_.reset();
  options_.trusted_proxies = {"localhost"};
  EXPECT_FALSE(Server::create(options_, models_, *governance_, clock_, metrics_).ok());
}

TEST_F(ServerTest, StreamsEventsAsTheyCome) {
  const auto fd = connect();
  send(fd, request("POST /v1/chat/completions", chat(true)));
  const auto sink = models_.next();
  sink({protocol::Admitted{3, 0, "fp"}});
  const auto head = read_until(fd, "\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("content-type: text/event-stream; charset=utf-8\r\n"));
  EXPECT_THAT(head, HasSubstr("x-accel-buffering: no\r\n"));
  EXPECT_THAT(head, HasSubstr("x-request-id: req_"));
  sink({protocol::Delta{0, "a \"quoted\"\n", {}, 1}});
  EXPECT_THAT(read_until(fd, "\"delta\":{\"content\":\"a \\\"quoted\\\"\\n\"}"), HasSubstr("role"));
  sink({protocol::ChoiceEnd{0, protocol::FinishReason::stop, ""},
        protocol::Finished{absl::OkStatus(), {3, 0, 1}}});
  const auto rest = read_until(fd, "");
  EXPECT_THAT(rest, HasSubstr(R"("delta":{},"logprobs":null,"finish_reason":"stop")"));
  EXPECT_TRUE(rest.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n")) << rest;
  EXPECT_TRUE(models_.wait_for_ended(1));
}

TEST_F(ServerTest, AFailureBeforeTheFirstByteIsAPlainError) {
  const auto fd = connect();
  send(fd, request("POST /v1/chat/completions", chat(true)));
  models_.next()({protocol::Finished{base::resource_exhausted("the queue is full"), {}}});
  const auto answer = read_until(fd, "");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr("retry-after: 1\r\n"));
  EXPECT_THAT(answer, HasSubstr("the queue is full"));
  EXPECT_TRUE(models_.wait_for_ended(1));
}

TEST_F(ServerTest, AFailureInMidStreamIsAnEventAndAClosedConnection) {
  const auto fd = connect();
  send(fd, request("POST /v1/chat/completions", chat(true)));
  const auto sink = models_.next();
  sink({protocol::Admitted{3, 0, "fp"}, protocol::Delta{0, "half", {}, 1}});
  sink({protocol::Finished{base::unavailable("the worker died"), {3, 0, 1}}});
  const auto answer = read_until(fd, "");
  EXPECT_THAT(answer, HasSubstr("half"));
  EXPECT_THAT(answer, HasSubstr("data: {\"error\":{\"message\":\"the worker died\""));
  EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
  EXPECT_FALSE(answer.ends_with("0\r\n\r\n"));
}

// The rows of the ledger, once there are so many.
std::vector<store::LedgerRow> rows_of(governance::Governance& governance) {
  governance.ledger().flush();
  std::vector<store::LedgerRow> rows;
  EXPECT_TRUE(governance.usage()
                  .each_row("default", 0, INT64_MAX, [&](const auto& row) { rows.push_back(row); })
                  .ok());
  return rows;
}

TEST_F(ServerTest, WhatAClientWasToldIsInTheLedger) {
  const auto fd = connect();
  send(fd, request("POST /v1/chat/completions", chat(false)));
  const auto sink = models_.next();
  sink({protocol::Admitted{3, 2, "fp"}, protocol::Delta{0, "a", {}, 1}});
  EXPECT_TRUE(rows_of(*governance_).empty()) << "nothing is charged before the end";
  sink({protocol::ChoiceEnd{0, protocol::FinishReason::stop, ""},
        protocol::Finished{absl::OkStatus(), {3, 2, 7, 123456}}});
  const auto answer = read_until(fd, "");
  EXPECT_THAT(answer, HasSubstr(R"("prompt_tokens":3,"completion_tokens":7)"));
  EXPECT_THAT(answer, Not(HasSubstr("123456"))) << "device time is the ledger's alone";
  const auto rows = rows_of(*governance_);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_THAT(answer, HasSubstr("x-request-id: " + rows[0].id + "\r\n"));
  EXPECT_EQ(rows[0].project, "default");
  EXPECT_EQ(rows[0].model, "m");
  EXPECT_EQ(rows[0].input_tokens, 3);
  EXPECT_EQ(rows[0].cached_tokens, 2);
  EXPECT_EQ(rows[0].output_tokens, 7);
  EXPECT_EQ(rows[0].device_us, 123456);
  EXPECT_EQ(rows[0].status, "ok");
}

class PinnedTokensTest : public ServerTest {
 protected:
  void limit(std::int64_t tokens) {
    ASSERT_TRUE(governance_->admission()
                    .set_limit({"project", "default", "", "tokens_per_minute", tokens})
                    .ok());
  }
  std::int64_t remaining() {
    governance::Principal principal;
    principal.project = "default";
    return governance_->admission().view(principal, {"m"}).tokens->remaining;
  }
  // Starts a call whose prompt of 100 tokens has so many pinned.
  cluster::GenerateSink call(std::int32_t pinned) {
    models_.prepared = {100, 10, pinned};
    fd_ = connect();
    send(fd_, request("POST /v1/chat/completions", chat(false)));
    return models_.next();
  }
  std::string finish(const cluster::GenerateSink& sink, std::int32_t cached) {
    sink({protocol::Admitted{100, cached, "fp"}, protocol::Delta{0, "a", {}, 1}});
    sink({protocol::ChoiceEnd{0, protocol::FinishReason::stop, ""},
          protocol::Finished{absl::OkStatus(), {100, cached, 10}}});
    return read_until(fd_, "");
  }
  base::UniqueFd fd_;
};

TEST_F(PinnedTokensTest, NeedNoReservation) {
  limit(150);
  auto sink = call(0);
  EXPECT_THAT(models_.commits(1), testing::ElementsAre(0));
  EXPECT_THAT(finish(sink, 0), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(remaining(), 40);
  call(0);
  EXPECT_THAT(read_until(fd_, ""), StartsWith("HTTP/1.1 429 ")) << "110 of 40";
  sink = call(80);
  EXPECT_THAT(models_.commits(2), testing::ElementsAre(0, 80));
  EXPECT_EQ(remaining(), 10);
  EXPECT_THAT(finish(sink, 96), HasSubstr(R"("cached_tokens":96)"));
  EXPECT_EQ(remaining(), 40 - 4 - 10);
}

TEST_F(PinnedTokensTest, ThatAreLostAreReservedBeforeTheCallRuns) {
  limit(150);
  auto sink = call(80);
  models_.commits(1);
  EXPECT_EQ(remaining(), 120);
  sink({protocol::Prepared{100, 10, 64}});
  EXPECT_THAT(models_.commits(2), testing::ElementsAre(80, 64));
  EXPECT_EQ(remaining(), 104);
  // Another worker has more of them: what is reserved covers it.
  sink({protocol::Prepared{100, 10, 96}});
  EXPECT_THAT(models_.commits(3), testing::ElementsAre(80, 64, 64));
  EXPECT_EQ(remaining(), 104);
  EXPECT_THAT(finish(sink, 64), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(remaining(), 150 - 36 - 10);
  // Where there is too little left for that, the call is refused and takes nothing.
  sink = call(64);
  models_.commits(4);
  EXPECT_EQ(remaining(), 104 - 46);
  sink({protocol::Prepared{100, 10, 0}});
  EXPECT_THAT(read_until(fd_, ""), StartsWith("HTTP/1.1 429 "));
  EXPECT_EQ(models_.commits(4).size(), 4u) << "it never ran";
  EXPECT_EQ(remaining(), 104);
  EXPECT_EQ(rows_of(*governance_).size(), 1u);
}

TEST_F(PinnedTokensTest, AWorkerThatBreaksItsWordIsAnErrorAndCostsNothing) {
  limit(150);
  auto sink = call(80);
  models_.commits(1);
  EXPECT_THAT(finish(sink, 79), StartsWith("HTTP/1.1 500 "));
  sink = call(80);
  models_.commits(2);
  sink({protocol::Admitted{100, 80, "fp"}, protocol::Delta{0, "a", {}, 1}});
  sink({protocol::ChoiceEnd{0, protocol::FinishReason::stop, ""},
        protocol::Finished{absl::OkStatus(), {100, 0, 10}}});
  EXPECT_THAT(read_until(fd_, ""), StartsWith("HTTP/1.1 500 "));
  EXPECT_EQ(remaining(), 150);
  EXPECT_TRUE(rows_of(*governance_).empty());
}

TEST_F(ServerTest, WhoLeavesPaysForWhatWasMadeAndErrorsCostNothing) {
  auto fd = connect();
  send(fd, request("POST /v1/chat/completions", chat(true)));
  auto sink = models_.next();
  sink({protocol::Admitted{3, 0, "fp"}, protocol::Delta{0, "a", {}, 2, 70}});
  sink({protocol::Delta{0, "c", {}, 0, 90}, protocol::Delta{0, "", {}, 0}});
  (void)read_until(fd, "\"c\"");
  fd.reset();
  EXPECT_TRUE(models_.wait_for_ended(1));
  fd = connect();
  send(fd, request("POST /v1/chat/completions", chat(true)));
  sink = models_.next();
  sink({protocol::Admitted{3, 0, "fp"}, protocol::Delta{0, "b", {}, 1}});
  sink({protocol::Finished{base::unavailable("the worker died"), {3, 0, 1}}});
  (void)read_until(fd, "");
  const auto rows = rows_of(*governance_);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].status, "client_gone");
  EXPECT_EQ(rows[0].output_tokens, 2);
  EXPECT_EQ(rows[0].device_us, 90);
}

TEST_F(ServerTest, AnAnswerWhoseRowCannotBeWrittenIsAnErrorAndNoUsage) {
  for (const bool stream : {false, true}) {
    const auto fd = connect();
    ASSERT_TRUE(database_
                    ->transaction("break",
                                  [&](store::Sql& sql) {
                                    sql.run("drop table if exists usage_day");
                                    return absl::OkStatus();
                                  })
                    .ok());
    send(fd, request("POST /v1/chat/completions", chat(stream)));
    const auto sink = models_.next();
    sink({protocol::Admitted{3, 0, "fp"}, protocol::Delta{0, "text", {}, 1}});
    sink({protocol::ChoiceEnd{0, protocol::FinishReason::stop, ""},
          protocol::Finished{absl::OkStatus(), {3, 0, 1}}});
    clock_.advance(store::LedgerWriter::kAwayMax);
    const auto answer = read_until(fd, "");
    EXPECT_THAT(answer, HasSubstr("server_error")) << answer;
    EXPECT_THAT(answer, Not(HasSubstr("completion_tokens")));
    EXPECT_THAT(answer, Not(HasSubstr("[DONE]")));
  }
  EXPECT_TRUE(rows_of(*governance_).empty());
}

TEST_F(ServerTest, AWorkerThatAnswersWhatWasNotReservedIsNotBelieved) {
  models_.prepares = false;
  const auto fd = connect();
  send(fd, request("POST /v1/chat/completions", chat(false)));
  models_.next()({protocol::Admitted{3, 0, "fp"}, protocol::Delta{0, "a", {}, 1}});
  EXPECT_THAT(read_until(fd, ""), StartsWith("HTTP/1.1 500 "));
}

TEST_F(ServerTest, AClientThatLeavesEndsItsCall) {
  for (const bool stream : {true, false}) {
    auto fd = connect();
    send(fd, request("POST /v1/chat/completions", chat(stream)));
    const auto sink = models_.next();
    sink({protocol::Admitted{3, 0, "fp"}});
    fd.reset();
    EXPECT_TRUE(models_.wait_for_ended(stream ? 1 : 2));
    sink({protocol::Delta{0, "nobody hears this", {}, 1}});
  }
  EXPECT_THAT(
      metrics_.exposition(),
      HasSubstr("plinth_http_requests_total{path=\"/v1/chat/completions\",status=\"499\"}"));
}

// What a request waits for comes on another's thread: once it ran after the server and its models
// were gone.
TEST_F(ServerTest, EndsWhileARequestWaitsForItsLimit) {
  ASSERT_TRUE(governance_->admission()
                  .set_limit({"project", "default", "m", "requests_per_minute", 10})
                  .ok());
  start();
  const auto other = *store::Database::open(home_ + "/plinth.db");
  const auto held = other->transaction("hold", [&](store::Sql& sql) {
    sql.run("delete from limit_rule where scope = 'nobody'");  // a lock that keeps others out
    const auto fd = connect();
    send(fd, request("POST /v1/chat/completions", chat(false)));
    // The one thread of the server took the request before it answers this.
    EXPECT_THAT(ask(request("GET /healthz")), StartsWith("HTTP/1.1 200 "));
    server_.reset();
    return absl::OkStatus();
  });
  ASSERT_TRUE(held.ok()) << held;
  EXPECT_TRUE(governance_->admission().exchange().ok());
  EXPECT_TRUE(rows_of(*governance_).empty());
}

TEST_F(ServerTest, ARequestHasADeadline) {
  options_.request_max = seconds(5);
  const auto late = connect();
  send(late, request("POST /v1/chat/completions", chat(false)));
  (void)models_.next();
  clock_.advance(seconds(6));
  const auto answer = read_until(late, "");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 504 "));
  EXPECT_TRUE(models_.wait_for_ended(1));
}

TEST_F(ServerTest, ASilentStreamIsKeptAlive) {
  const auto fd = connect();
  send(fd, request("POST /v1/chat/completions", chat(true)));
  const auto sink = models_.next();
  sink({protocol::Admitted{3, 0, "fp"}});
  read_until(fd, "\r\n\r\n");
  clock_.advance(seconds(11));
  EXPECT_THAT(read_until(fd, ": ping\n\n"), HasSubstr(": ping\n\n"));
  sink({protocol::Finished{absl::OkStatus(), {3, 0, 0}}});
  EXPECT_THAT(read_until(fd, ""), HasSubstr("[DONE]"));
}

// The audit log, from new to old.
std::vector<governance::AuditEntry> audit_of(governance::Governance& governance) {
  store::AuditFilter filter;
  filter.organization = "default";
  const auto page = governance.audit().list(filter);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? page->rows : std::vector<governance::AuditEntry>();
}

TEST_F(ServerTest, ActsOfAdministrationAreOnRecord) {
  governance::KeySpec spec;
  spec.role = governance::Role::admin;
  const auto admin = *governance_->keys().create(spec);
  key_ = admin.text;
  EXPECT_THAT(ask(request("POST /v1/organization/projects", R"({"name":"x"})")),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(request("POST /v1/organization/projects", R"({"name":""})")),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask(request("GET /v1/organization/projects")), StartsWith("HTTP/1.1 200 "));
  const auto all = audit_of(*governance_);
  ASSERT_EQ(all.size(), 1u) << "neither what was refused nor what was only read";
  EXPECT_EQ(all[0].event.type, "project.created");
  EXPECT_EQ(all[0].event.actor.id, admin.row.id);
  EXPECT_EQ(all[0].event.actor.ip, "127.0.0.1");
  EXPECT_EQ(all[0].event.project_name, "x");
  EXPECT_EQ(all[0].event.resources, std::vector<std::string>{all[0].event.project});
}

TEST_F(ServerTest, AnActThatCannotBeRecordedIsUndone) {
  governance::KeySpec spec;
  spec.role = governance::Role::admin;
  key_ = governance_->keys().create(spec)->text;
  const auto rename = [&](const std::string& from, const std::string& to) {
    ASSERT_TRUE(database_
                    ->transaction("test",
                                  [&](store::Sql& sql) {
                                    sql.run("alter table " + from + " rename to " + to);
                                    return absl::OkStatus();
                                  })
                    .ok());
  };
  const auto limit = [&](const char* amount) {
    return ask(request("POST /v1/organization/projects/default/rate_limits/rl-m",
                       std::string(R"({"max_requests_per_1_minute":)") + amount + "}"));
  };
  EXPECT_THAT(limit("50"), StartsWith("HTTP/1.1 200 "));
  rename("audit_record", "away");
  EXPECT_THAT(limit("1"), StartsWith("HTTP/1.1 503 "));
  const auto made = ask(request("POST /v1/organization/admin_api_keys", R"({"name":"x"})"));
  EXPECT_THAT(made, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(made, Not(HasSubstr("sk-plinth-")));
  rename("away", "audit_record");
  EXPECT_EQ(governance_->keys().list(governance::Role::admin, "", {"", 10})->rows.size(), 2u)
      << "the one of the first start, and this test's";
  EXPECT_THAT(ask(request("GET /v1/organization/projects/default/rate_limits")),
              HasSubstr(R"("max_requests_per_1_minute":50)"));
  governance::Principal principal;
  principal.project = "default";
  EXPECT_EQ(governance_->admission().view(principal, {"m"}).requests->limit, 50)
      << "nor is it in force";
}

TEST_F(ServerTest, RefusalsAreCountedOnRecord) {
  EXPECT_THAT(ask(request("POST /v1/organization/projects", R"({"name":"x"})")),
              StartsWith("HTTP/1.1 403 "));
  const std::string own_id(governance::key_id(key_));
  key_ = "sk-nobody";
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(ask(request("GET /v1/models")), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(ask("GET /v1/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 401 "));
  ASSERT_TRUE(governance_->audit().seal().ok());
  const auto all = audit_of(*governance_);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].event.type, "api_key.rejected");
  EXPECT_EQ(all[1].event.details.at("count"), 3) << "without a key there is nothing to reject";
  EXPECT_EQ(all[0].event.type, "permission.denied");
  EXPECT_EQ(all[0].event.actor.id, own_id);
}

TEST_F(ServerTest, WhoPresentsNoCertificateIsRefusedWhereOneIsNeeded) {
  options_.client_certificates = net::ClientCertificateMode::optional;
  EXPECT_THAT(ask(request("GET /v1/models")), StartsWith("HTTP/1.1 200 ")) << "no authority yet";
  const auto authority =
      *base::read_file(source_dir() + "/tests/fuzz/corpus/client_ca/authority", 1u << 12);
  auto& certificates = governance_->client_certificates();
  const auto row = certificates.add("default", authority, "office");
  ASSERT_TRUE(row.ok()) << row.status();
  ASSERT_TRUE(certificates.set_active("default", "default", {row->id}, true).ok());
  const auto refused = ask(request("GET /v1/models"));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(refused, HasSubstr("none was presented"));
  EXPECT_THAT(refused, HasSubstr("\"code\":\"invalid_client_certificate\""));
  EXPECT_THAT(ask(request("GET /healthz")), StartsWith("HTTP/1.1 200 ")) << "asks nobody";
  ASSERT_TRUE(certificates.set_active("default", "default", {row->id}, false).ok());
  EXPECT_THAT(ask(request("GET /v1/models")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, RequiredCertificatesNeedAnAuthority) {
  options_.client_certificates = net::ClientCertificateMode::required;
  const auto refused = ask(request("GET /v1/models"));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(refused, HasSubstr("no authority of them is active"));
}

TEST_F(ServerTest, RoutesByMethodAndPath) {
  EXPECT_THAT(ask(request("GET /healthz")), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(ask(request("HEAD /readyz")).ends_with("\r\n\r\n"));
  EXPECT_THAT(ask(request("GET /v1/models/own%2Fer")), HasSubstr("\"id\":\"own/er\""));
  EXPECT_THAT(ask(request("GET /v1/models/none")), StartsWith("HTTP/1.1 404 "));
  const auto wrong = ask(request("GET /v1/chat/completions"));
  EXPECT_THAT(wrong, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(wrong, HasSubstr("allow: POST\r\n"));
  const auto unknown = ask(request("GET /v1/nothing"));
  EXPECT_THAT(unknown, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(unknown, HasSubstr("{\"error\":{\"message\":\"Invalid URL (GET /v1/nothing)\""));
  EXPECT_THAT(unknown, HasSubstr("x-request-id: req_"));
}

TEST_F(ServerTest, RefusesWithoutAKeyAndWhatIsNoHttp) {
  key_ = "wrong";
  const auto answer = ask(request("GET /v1/models", "", "x-request-id: chosen-by-client\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(answer, HasSubstr("invalid_api_key"));
  EXPECT_THAT(answer, Not(HasSubstr("chosen-by-client")));
  const auto nonsense = ask("nonsense\r\n\r\n");
  EXPECT_THAT(nonsense, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(nonsense, HasSubstr(R"("type":"invalid_request_error")"));
  EXPECT_THAT(nonsense, HasSubstr("x-request-id: req_"));
}

TEST_F(ServerTest, AnswersBrowsersOfAllowedPagesOnly) {
  const std::string asks =
      "access-control-request-method: POST\r\n"
      "access-control-request-headers: authorization,x-stainless-os\r\n";
  key_.clear();
  const auto allowed =
      ask(request("OPTIONS /v1/chat/completions", "", "origin: https://app.example\r\n" + asks));
  EXPECT_THAT(allowed, StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(allowed, HasSubstr("access-control-allow-origin: https://app.example\r\n"));
  EXPECT_THAT(allowed, HasSubstr("access-control-allow-methods: POST\r\n"));
  EXPECT_THAT(allowed, HasSubstr("access-control-allow-headers: authorization,x-stainless-os\r\n"));
  EXPECT_THAT(allowed, Not(HasSubstr("content-length")));
  // A page can read why it was refused, and the headers it needs.
  const auto refused = ask(request("GET /v1/models", "", "origin: https://app.example\r\n"));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(refused, HasSubstr("access-control-expose-headers: x-request-id, retry-after"));
  EXPECT_THAT(ask(request("GET /healthz", "", "origin: https://evil.example\r\n")),
              Not(HasSubstr("access-control")));
}

TEST_F(ServerTest, CountsByTheNamesOfTheConventions) {
  const auto fd = connect();
  send(fd, request("POST /v1/chat/completions", chat(false)));
  const auto sink = models_.next();
  sink({protocol::Admitted{3, 0, "fp"}});
  clock_.advance(seconds(1));
  sink({protocol::Delta{0, "one", {}, 1}});
  clock_.advance(seconds(2));
  sink({protocol::Delta{0, "two", {}, 1}, protocol::Finished{absl::OkStatus(), {3, 0, 2}}});
  read_until(fd, "");
  ask(request("GET /made/up/path"));
  const auto metrics = ask(request("GET /metrics"));
  const std::string labels =
      "{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"plinth\",gen_ai_request_model=\"m\"";
  for (const std::string& line :
       {"gen_ai_server_request_duration_seconds_sum" + labels + "} 3\n",
        "gen_ai_server_time_to_first_token_seconds_sum" + labels + "} 1\n",
        "gen_ai_server_time_per_output_token_seconds_sum" + labels + "} 2\n",
        "gen_ai_client_token_usage_sum" + labels + ",gen_ai_token_type=\"input\"} 3\n",
        "gen_ai_client_token_usage_sum" + labels + ",gen_ai_token_type=\"output\"} 2\n",
        std::string("plinth_http_requests_total{path=\"other\",status=\"404\"} 1\n")}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
  EXPECT_THAT(metrics, Not(HasSubstr("made")));
}

TEST_F(ServerTest, CountsEmbeddingsByTheNamesOfTheConventions) {
  const auto asked = request("POST /v1/embeddings", R"({"model":"encoder","input":["a","b"]})");
  const auto served = connect(), failed = connect(), left = connect();
  send(served, asked);
  const auto serve = models_.next_embed();
  send(failed, asked);
  const auto fail = models_.next_embed();
  clock_.advance(seconds(2));
  serve(protocol::EmbedResult{2, {1, 0, 0, 1}, {7, 0, 0}});
  EXPECT_THAT(read_until(served, ""), HasSubstr(R"("prompt_tokens":7)"));
  clock_.advance(seconds(1));
  fail(base::unavailable("its worker ended"));
  EXPECT_THAT(read_until(failed, ""), StartsWith("HTTP/1.1 503 "));
  send(left, asked);
  const auto unheard = models_.next_embed();
  ASSERT_EQ(::shutdown(left.get(), SHUT_RDWR), 0);
  ASSERT_TRUE(models_.wait_for_ended(3));
  const auto metrics = ask(request("GET /metrics"));
  const std::string labels =
      "gen_ai_operation_name=\"embeddings\",gen_ai_provider_name=\"plinth\","
      "gen_ai_request_model=\"encoder\"";
  const std::string duration = "gen_ai_server_request_duration_seconds_";
  for (const std::string& line :
       {duration + "sum{" + labels + "} 2\n", duration + "count{" + labels + "} 1\n",
        duration + "sum{error_type=\"503\"," + labels + "} 3\n",
        duration + "count{error_type=\"client_gone\"," + labels + "} 1\n",
        "gen_ai_client_token_usage_sum{" + labels + ",gen_ai_token_type=\"input\"} 7\n",
        "gen_ai_client_token_usage_count{" + labels + ",gen_ai_token_type=\"input\"} 1\n"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
  // An embedding makes no tokens: nothing of theirs is counted, not even as zero.
  EXPECT_THAT(metrics, Not(HasSubstr("gen_ai_token_type=\"output\"")));
  EXPECT_THAT(metrics, Not(HasSubstr("time_to_first_token")));
}

}  // namespace
}  // namespace plinth::api
