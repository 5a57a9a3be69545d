// Runs *.test files against api::Server in this process with a fake model service:
// api_cases FILE.test... [gtest flags]. Every case is one GoogleTest test.
#include <fmt/format.h>
#include <fnmatch.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>

#include "api/answer_check.h"
#include "api/server.h"
#include "base/file.h"
#include "case_file.h"
#include "cluster/fake_replica.h"
#include "governance/built_in_roles.h"
#include "http_probe.h"
#include "json_match.h"
#include "model_script.h"
#include "store/database.h"

namespace plinth::tests {
namespace {

std::vector<cluster::ModelCard> cards() {
  cluster::ModelCard tiny, slashed, mini;
  tiny.id = "tiny";
  tiny.generates = true;
  tiny.created_unix_seconds = 1'600'000'000;
  tiny.context_tokens = 64;
  slashed = tiny;
  slashed.id = "org/tiny chat";
  slashed.sampling = {{"temperature", 0.25}, {"top_p", 0.75}, {"top_k", 20}};
  mini.id = "mini";
  mini.embeds = true;
  mini.created_unix_seconds = 1'600'000'001;
  return {tiny, slashed, mini};
}

// A server that lives as long as the tests, shared by the cases: each resets the fake first.
class Gateway {
 public:
  explicit Gateway(bool ignore_unknown_fields) : models(cards()) {
    home_ = std::filesystem::temp_directory_path() /
            fmt::format("plinth_api_cases_{}_{}", ::getpid(), ignore_unknown_fields);
    std::filesystem::remove_all(home_);
    EXPECT_TRUE(base::make_folders(home_).ok());
    database_ = store::Database::open(home_ + "/plinth.db").value();
    governance_ = governance::Governance::open(home_, *database_, clock_).value();
    EXPECT_TRUE(governance_->open_sign_in(home_, clock_).ok());
    governance::KeySpec spec;
    spec.project = "default";
    spec.scopes = governance::built_in_role(governance::kUser)->permissions |
                  governance::PermissionSet{governance::Permission::read_tuning,
                                            governance::Permission::manage_tuning};
    kept["KEY"] = governance_->keys().create(spec).value().text;
    spec = {};
    spec.role = governance::Role::admin;
    kept["ADMIN"] = governance_->keys().create(spec).value().text;
    api::ServerOptions options;
    options.port = 0;
    options.ignore_unknown_fields = ignore_unknown_fields;
    options.entropy = [] { return std::uint64_t{7}; };
    server = api::Server::create(options, models, *governance_, clock_, metrics_).value();
  }
  ~Gateway() {
    server->drain(std::chrono::seconds(5));
    server.reset();
    governance_.reset();
    std::filesystem::remove_all(home_);
  }

  static Gateway& get(bool ignore_unknown_fields) {
    auto& wanted = all()[ignore_unknown_fields ? 1 : 0];
    if (wanted == nullptr) wanted = std::make_unique<Gateway>(ignore_unknown_fields);
    return *wanted;
  }
  // Before main() returns: libraries that the gateway uses clean up after it.
  static void close_all() {
    for (auto& gateway : all()) gateway.reset();
  }

  cluster::FakeModelService models;
  // What $NAME stands for: keys, and what cases kept of their answers. Longer names come first.
  std::map<std::string, std::string, std::greater<>> kept;
  std::unique_ptr<api::Server> server;

 private:
  static std::array<std::unique_ptr<Gateway>, 2>& all() {
    static std::array<std::unique_ptr<Gateway>, 2> gateways;
    return gateways;
  }

  std::string home_;
  base::FakeClock clock_;
  base::Metrics metrics_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<governance::Governance> governance_;
};

class ApiCaseTest : public ::testing::Test {
 public:
  ApiCaseTest(const ApiCase& one, bool lenient) : case_(one), gateway_(Gateway::get(lenient)) {}

  void TestBody() override {
    gateway_.models.reset();
    gateway_.models.set_ready(!case_.loading);
    for (const auto& script : case_.scripts) gateway_.models.enqueue(script);
    const auto answer = ask(gateway_.server->port(), question());
    ASSERT_TRUE(answer.ok()) << answer.status();
    if (!case_.leave_after_events) check_answer(*answer);
    check_asked();
    if (case_.cancelled > 0) {
      EXPECT_TRUE(gateway_.models.wait_for_cancelled(case_.cancelled, std::chrono::seconds(10)))
          << "the calls go on after their client has left";
    }
  }

 private:
  // With what every $NAME stands for.
  std::string filled(std::string text) const {
    for (const auto& [name, value] : gateway_.kept) {
      const std::string mark = "$" + name;
      for (auto at = text.find(mark); at != std::string::npos;
           at = text.find(mark, at + value.size()))
        text.replace(at, mark.size(), value);
    }
    return text;
  }

  HttpQuestion question() const {
    HttpQuestion question{
        case_.method, filled(case_.path), filled(case_.body), {}, case_.leave_after_events};
    bool key = case_.path.starts_with("/v1/");
    for (auto [name, value] : case_.headers) {
      if (name == "authorization") key = false;
      if (value == "none") continue;
      question.headers.emplace_back(name, filled(value));
    }
    if (key) question.headers.emplace_back("authorization", "Bearer " + gateway_.kept.at("KEY"));
    const auto has_type = [](const auto& header) { return header.first == "content-type"; };
    const auto& given = case_.headers;
    if (!case_.body.empty() && std::none_of(given.begin(), given.end(), has_type))
      question.headers.emplace_back("content-type", "application/json");
    return question;
  }

  void check_answer(const HttpAnswer& answer) const {
    EXPECT_EQ(answer.status, case_.status) << answer.body;
    for (const auto& [name, pattern] : case_.expected_headers) {
      const auto found = answer.headers.find(name);
      const std::string value = found == answer.headers.end() ? "none" : found->second;
      EXPECT_EQ(::fnmatch(pattern.c_str(), value.c_str(), 0), 0)
          << name << ": expected " << pattern << ", but got " << value;
    }
    EXPECT_TRUE(answer.headers.contains("x-request-id"));
    if (case_.expected_text) {
      EXPECT_NE(answer.body.find(*case_.expected_text), std::string::npos) << answer.body;
    }
    if (case_.method == "HEAD") {
      EXPECT_EQ(answer.body, "");
      return;
    }
    if (!case_.expected_events.empty()) return check_events(answer);
    const auto type = answer.headers.find("content-type");
    const bool json = type != answer.headers.end() && type->second == "application/json";
    if (!json && !case_.expected_body) return;
    const auto body = base::parse_json(answer.body);
    ASSERT_TRUE(body.ok()) << body.status() << "\n" << answer.body;
    EXPECT_EQ(api::check_answer(case_.method, case_.path, answer.status, *body), absl::OkStatus());
    if (case_.expected_body) {
      const auto expected = base::parse_json(filled(base::to_json(*case_.expected_body)));
      EXPECT_EQ(mismatch(*expected, *body), "");
    }
    for (const auto& [name, pointer] : case_.kept) {
      boost::system::error_code error;
      const auto* part = body->find_pointer(pointer, error);
      ASSERT_TRUE(part != nullptr && part->is_string()) << "keep " << name << " " << pointer;
      gateway_.kept[name] = std::string(part->get_string());
    }
  }

  void check_events(const HttpAnswer& answer) const {
    const auto events = events_of(answer.body);
    std::size_t next = 0;
    bool any = false;
    for (std::size_t i = 0; i < case_.expected_events.size(); ++i) {
      const std::string& expected = case_.expected_events[i];
      if (expected.empty()) {
        any = true;
        continue;
      }
      std::string problem = "no such event";
      do {
        if (next == events.size()) break;
        problem = event_mismatch(expected, events[next++]);
      } while (any && !problem.empty());
      ASSERT_EQ(problem, "") << "event " << i << " of\n" << answer.body;
      any = false;
    }
    EXPECT_TRUE(any || next == events.size()) << "more events than expected\n" << answer.body;
    for (const auto& event : events) {
      if (event == "[DONE]") continue;
      EXPECT_EQ(api::check_event(case_.path, base::parse_json(event).value()), absl::OkStatus());
    }
  }

  static std::string event_mismatch(const std::string& expected, const std::string& event) {
    if (expected == "[DONE]" || event == "[DONE]")
      return expected == event ? "" : "expected " + expected + ", but got " + event;
    const auto parsed = base::parse_json(event);
    if (!parsed.ok()) return "not JSON: " + event;
    return mismatch(base::parse_json(expected).value(), *parsed, "data");
  }

  void check_asked() const {
    std::vector<base::json::value> asked;
    for (const auto& request : gateway_.models.requests()) asked.push_back(asked_json(request));
    for (const auto& request : gateway_.models.embed_requests())
      asked.push_back(asked_json(request));
    if (case_.asked_nothing) {
      EXPECT_TRUE(asked.empty()) << "a model was asked";
    }
    if (case_.asked.empty()) return;
    ASSERT_EQ(asked.size(), case_.asked.size()) << "calls of the model";
    for (std::size_t i = 0; i < asked.size(); ++i)
      EXPECT_EQ(mismatch(case_.asked[i], asked[i], "asked"), "");
  }

  const ApiCase& case_;
  Gateway& gateway_;
};

std::string test_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      name += c;
    else if (!name.ends_with('_'))
      name += '_';
  }
  return name;
}

// The files outlive the tests, which refer to their cases.
int register_files(const std::vector<std::string>& paths, std::vector<CaseFile>& files) {
  files.reserve(paths.size());
  for (const auto& path : paths) {
    auto file = read_case_file(path);
    if (!file.ok()) {
      std::cerr << file.status() << "\n";
      return 1;
    }
    files.push_back(*std::move(file));
    const CaseFile& kept = files.back();
    for (const auto& one : kept.cases) {
      ::testing::RegisterTest(
          ("ApiCases_" + test_name(kept.group)).c_str(), test_name(one.name).c_str(), nullptr,
          nullptr, path.c_str(), one.line, [&one, &kept]() -> ::testing::Test* {
            return std::make_unique<ApiCaseTest>(one, kept.ignore_unknown_fields).release();
          });
    }
  }
  return 0;
}

}  // namespace
}  // namespace plinth::tests

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::vector<plinth::tests::CaseFile> files;
  if (plinth::tests::register_files({argv + 1, argv + argc}, files) != 0) return 1;
  const int failed = RUN_ALL_TESTS();
  plinth::tests::Gateway::close_all();
  return failed;
}
