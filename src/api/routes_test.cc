#include "api/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plinth::api {
namespace {

TEST(Routes, MatchesWholePathsAndParameters) {
  const auto models = find_route(routes(), "GET", "/v1/models");
  ASSERT_NE(models.route, nullptr);
  EXPECT_EQ(models.route->pattern, "/v1/models");
  const auto one = find_route(routes(), "HEAD", "/v1/models/a%2Fb/c%zz%4");
  ASSERT_NE(one.route, nullptr);
  ASSERT_EQ(one.parameters.size(), 1u);
  EXPECT_EQ(one.parameters[0], "a/b/c%zz%4");
  for (const char* path : {"/v1/models/", "/v1/model", "/v1/modelsx", "/", "", "*", "/V1/models"})
    EXPECT_EQ(find_route(routes(), "GET", path).route, nullptr) << path;
}

TEST(Routes, MatchesSeveralParameters) {
  const auto key = find_route(routes(), "GET", "/v1/organization/projects/p%20q/api_keys/k");
  ASSERT_NE(key.route, nullptr);
  EXPECT_THAT(key.parameters, testing::ElementsAre("p q", "k"));
  for (const char* path :
       {"/v1/organization/projects//api_keys/k", "/v1/organization/projects/",
        "/v1/organization/projects/p/api_keys/k/", "/v1/organization/projects/p/"})
    EXPECT_EQ(find_route(routes(), "GET", path).route, nullptr) << path;
  const auto limit =
      find_route(routes(), "POST", "/v1/organization/projects/p/rate_limits/rl-own/er");
  ASSERT_NE(limit.route, nullptr);
  EXPECT_THAT(limit.parameters, testing::ElementsAre("p", "rl-own/er"));
}

TEST(Routes, NamesTheMethodsOfAKnownPath) {
  EXPECT_EQ(find_route(routes(), "PUT", "/v1/models").allow, "GET, HEAD");
  EXPECT_EQ(find_route(routes(), "GET", "/v1/chat/completions").allow, "POST");
  EXPECT_EQ(find_route(routes(), "GET", "/v1/nothing").allow, "");
  // Also {invite} would match it.
  EXPECT_EQ(find_route(routes(), "GET", "/v1/organization/invites/accept").allow, "POST");
}

// A hash of a password takes 30 ms: neither a connection's thread nor a transaction has them.
TEST(Routes, WhatTakesItsTimeGoesBeforeTheAct) {
  const auto password = find_route(routes(), "POST", "/v1/organization/users/u/password");
  ASSERT_NE(password.route, nullptr);
  EXPECT_NE(password.route->prepare, nullptr);
}

}  // namespace
}  // namespace plinth::api
