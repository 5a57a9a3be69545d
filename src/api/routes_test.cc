#include "api/routes.h"

#include <gtest/gtest.h>

namespace plinth::api {
namespace {

TEST(Routes, MatchesWholePathsAndParameters) {
  const auto models = find_route(routes(), "GET", "/v1/models");
  ASSERT_NE(models.route, nullptr);
  EXPECT_EQ(models.route->pattern, "/v1/models");
  const auto one = find_route(routes(), "HEAD", "/v1/models/a%2Fb/c%zz%4");
  ASSERT_NE(one.route, nullptr);
  EXPECT_EQ(one.path_parameter, "a/b/c%zz%4");
  for (const char* path : {"/v1/models/", "/v1/model", "/v1/modelsx", "/", "", "*", "/V1/models"})
    EXPECT_EQ(find_route(routes(), "GET", path).route, nullptr) << path;
}

TEST(Routes, NamesTheMethodsOfAKnownPath) {
  EXPECT_EQ(find_route(routes(), "PUT", "/v1/models").allow, "GET, HEAD");
  EXPECT_EQ(find_route(routes(), "GET", "/v1/chat/completions").allow, "POST");
  EXPECT_EQ(find_route(routes(), "GET", "/v1/nothing").allow, "");
}

}  // namespace
}  // namespace plinth::api
