// Every role on every route, against the declared data and against expectations written by hand;
// then the same through the whole middleware.
#include "api/authorize.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "api/pipeline.h"
#include "api/role_matrix.h"
#include "base/file.h"
#include "cluster/fake_replica.h"
#include "governance/built_in_roles.h"
#include "tests/support/source_dir.h"

namespace plinth::api {
namespace {

using governance::built_in_role;
using governance::built_in_roles;
using governance::Permission;
using governance::PermissionSet;
using governance::Principal;

// The values of a pattern's {...}: the project, then what exists nowhere.
std::vector<std::string> values_for(std::string_view pattern, const std::string& project) {
  std::vector<std::string> values;
  for (auto at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at + 1)) {
    const auto name = pattern.substr(at, 9);
    values.push_back(name == "{project}" || name == "{account}" ? project : "nothing");
  }
  return values;
}

std::string path_for(std::string_view pattern, const std::string& project) {
  std::string path;
  std::size_t next = 0;
  const auto values = values_for(pattern, project);
  while (!pattern.empty()) {
    const auto open = pattern.find('{');
    path += pattern.substr(0, open);
    if (open == std::string_view::npos) break;
    path += values.at(next++);
    pattern = pattern.substr(pattern.find('}', open) + 1);
  }
  return path;
}

bool allowed(const Principal& who, const Route& route, const std::string& project) {
  const auto status = authorize(who, route, values_for(route.pattern, project));
  EXPECT_TRUE(status.ok() || absl::IsPermissionDenied(status)) << status;
  return status.ok();
}

Principal with_role(const std::string& role, const std::string& project) {
  Principal who;
  who.project = "p";
  who.grants.add(project, built_in_role(role)->permissions);
  return who;
}

TEST(Authorize, DeniesWhoHasNothing) {
  for (const auto& route : routes())
    EXPECT_EQ(allowed(Principal(), route, "p"), route.needs.open()) << route.pattern;
}

TEST(Authorize, EveryRoleOnEveryRoute) {
  for (const auto& role : built_in_roles()) {
    const std::string id(role.id);
    for (const auto& route : routes()) {
      SCOPED_TRACE(id + " " + std::string(route.method) + " " + std::string(route.pattern));
      const bool open = route.needs.open();
      const bool holds = open || role.permissions.contains(route.needs.permission());
      const bool organization = !open && scope_of(route) == Scope::organization;
      EXPECT_EQ(allowed(with_role(id, ""), route, "p"), holds);
      EXPECT_EQ(allowed(with_role(id, "p"), route, "p"), open || (holds && !organization));
      EXPECT_EQ(allowed(with_role(id, "other"), route, "p"), open) << "another project's";
    }
  }
}

// A cell of the matrix, as whoever wrote the roles meant it.
struct Cell {
  const char* role;
  const char* method;
  const char* path;
  bool allowed;
};

TEST(Authorize, KeyCells) {
  constexpr Cell kCells[] = {
      {"owner", "POST", "/v1/chat/completions", true},
      {"owner", "POST", "/v1/organization/prices", true},
      {"owner", "DELETE", "/v1/organization/users/u", true},
      {"contributor", "POST", "/v1/chat/completions", false},
      {"contributor", "POST", "/v1/embeddings", false},
      {"contributor", "POST", "/v1/organization/projects/p/api_keys", true},
      {"contributor", "POST", "/v1/organization/projects", true},
      {"contributor", "GET", "/v1/models", true},
      {"developer", "POST", "/v1/chat/completions", true},
      {"developer", "POST", "/v1/organization/projects/p/api_keys", false},
      {"developer", "GET", "/v1/organization/users", false},
      {"user", "POST", "/v1/chat/completions", true},
      {"user", "GET", "/v1/models/m", true},
      {"user", "GET", "/v1/organization/projects", false},
      {"user", "POST", "/v1/files", true},
      {"user", "DELETE", "/v1/files/f", true},
      {"developer", "POST", "/v1/uploads", true},
      {"auditor", "GET", "/v1/files/f/content", false},
      {"usage_reader", "GET", "/v1/files", false},
      {"user", "GET", "/v1/organization/projects/p/api_keys", false},
      {"user", "GET", "/v1/organization/usage/completions", false},
      {"user", "POST", "/v1/organization/projects/p/users", false},
      {"usage_reader", "GET", "/v1/organization/usage/completions", true},
      {"usage_reader", "GET", "/v1/organization/projects/p/rate_limits", true},
      {"usage_reader", "GET", "/v1/organization/costs", false},
      {"usage_reader", "POST", "/v1/chat/completions", false},
      {"billing_reader", "GET", "/v1/organization/costs", true},
      {"billing_reader", "GET", "/v1/organization/prices", true},
      {"billing_reader", "POST", "/v1/organization/prices", false},
      {"billing_reader", "POST", "/v1/organization/spend_limits", false},
      {"auditor", "GET", "/v1/organization/users", true},
      {"auditor", "GET", "/v1/organization/usage/completions", false},
      {"auditor", "POST", "/v1/chat/completions", false},
      {"auditor", "DELETE", "/v1/organization/users/u", false},
      {"auditor", "GET", "/v1/organization/admin_api_keys", false},
      {"safety_officer", "POST", "/v1/chat/completions", false},
      {"safety_officer", "GET", "/v1/organization/costs", false},
      {"safety_officer", "POST", "/v1/organization/invites", false},
      {"operator", "GET", "/v1/models", true},
      {"operator", "POST", "/v1/chat/completions", false},
      {"operator", "POST", "/v1/organization/admin_api_keys", false},
  };
  for (const auto& cell : kCells) {
    const auto match = find_route(routes(), cell.method, cell.path);
    ASSERT_NE(match.route, nullptr) << cell.path;
    EXPECT_EQ(authorize(with_role(cell.role, ""), *match.route, match.parameters).ok(),
              cell.allowed)
        << cell.role << " " << cell.method << " " << cell.path;
  }
}

TEST(Authorize, SaysWhatIsMissing) {
  const auto match = find_route(routes(), "POST", "/v1/chat/completions");
  Principal admin;
  admin.role = governance::Role::admin;
  const auto status = authorize(admin, *match.route, {});
  EXPECT_NE(base::message(status).find("Missing permission: infer"), std::string::npos) << status;
  EXPECT_NE(base::message(status).find("Admin keys manage"), std::string::npos) << status;
}

TEST(Authorize, ThePageIsTrue) {
  const auto page = base::read_file(source_dir() + "/docs/roles.md", 1u << 20);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(*page, role_matrix_markdown())
      << "docs/roles.md is old: plinth admin role matrix > docs/roles.md";
}

// Takes an answer without a network.
class KeptReply final : public net::HttpReply {
 public:
  void send(int status_, const net::HttpHeaders&, std::string body_) override {
    status = status_;
    body = std::move(body_);
    if (const auto over = std::exchange(over_, nullptr)) over(net::HttpEnd::sent);
  }
  void start_stream(int, const net::HttpHeaders&) override {}
  bool write(std::string_view) override { return true; }
  void when_taken(std::function<void()>) override {}
  void end_stream() override {}
  void break_off() override {}
  void on_end(std::function<void(net::HttpEnd)> over) override { over_ = std::move(over); }
  void on_deadline(base::Duration, std::function<void()>) override {}
  void set_heartbeat(base::Duration, std::string) override {}

  int status = 0;
  std::string body;

 private:
  std::function<void(net::HttpEnd)> over_;
};

class Middleware : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "authorize_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    database_ = *store::Database::open(home_ + "/plinth.db");
    governance_ = *governance::Governance::open(home_, *database_, clock_);
    services_ = std::make_unique<Services>(
        Services{models_, *governance_, clock_, metrics_, [] { return std::uint64_t{7}; }, false});
  }
  void TearDown() override { std::filesystem::remove_all(home_); }

  std::string make_key(governance::Role role, const std::string& project,
                       std::optional<PermissionSet> scopes) {
    governance::KeySpec spec;
    spec.role = role;
    spec.project = project;
    spec.scopes = scopes;
    return governance_->keys().create(spec)->text;
  }

  // Whether the middleware lets the key through, whatever the endpoint makes of the request.
  bool lets_through(const std::string& key, const Route& route, const std::string& project) {
    net::HttpRequest request;
    request.method = std::string(route.method);
    request.path = path_for(route.pattern, project);
    request.body = "{}";
    request.headers["authorization"] = "Bearer " + key;
    const auto reply = std::make_shared<KeptReply>();
    run_pipeline(*services_, {}, std::move(request), reply);
    EXPECT_NE(reply->status, 0) << route.pattern << ": not answered";
    EXPECT_NE(reply->status, 401) << route.pattern << ": " << reply->body;
    return reply->status != 403 || reply->body.find("Missing permission: ") == std::string::npos;
  }

  std::string home_;
  base::FakeClock clock_;
  base::Metrics metrics_;
  cluster::FakeModelService models_{{}};
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<governance::Governance> governance_;
  std::unique_ptr<Services> services_;
};

// Keys whose scopes are a role's permissions: an admin key for the organization's routes, a
// project's key for all others. The project exists nowhere, so that nothing is done for real.
TEST_F(Middleware, EveryRoleOnEveryRoute) {
  for (const auto& role : built_in_roles()) {
    const auto admin = make_key(governance::Role::admin, "", role.permissions);
    const auto member = make_key(governance::Role::project, "elsewhere",
                                 role.permissions & governance::project_permissions());
    for (const auto& route : routes()) {
      if (route.needs.open()) continue;
      SCOPED_TRACE(std::string(role.id) + " " + std::string(route.method) + " " +
                   std::string(route.pattern));
      const bool holds = role.permissions.contains(route.needs.permission());
      const bool organization = scope_of(route) == Scope::organization;
      EXPECT_EQ(lets_through(organization ? admin : member, route, "elsewhere"), holds);
      if (!organization && project_parameter(route.pattern)) {
        EXPECT_FALSE(lets_through(member, route, "default")) << "another project's";
      }
    }
  }
}

TEST_F(Middleware, KeysOfTheOldKinds) {
  const auto project = make_key(governance::Role::project, "default", {});
  const auto admin = make_key(governance::Role::admin, "", {});
  for (const auto& route : routes()) {
    if (route.needs.open() || route.pattern.ends_with("/archive")) continue;
    SCOPED_TRACE(std::string(route.method) + " " + std::string(route.pattern));
    const auto permission = route.needs.permission();
    EXPECT_EQ(lets_through(project, route, "default"),
              governance::built_in_role(governance::kUser)->permissions.contains(permission));
    EXPECT_EQ(lets_through(admin, route, "default"), permission != Permission::infer);
  }
}

}  // namespace
}  // namespace plinth::api
