#include "api/auth/same_site.h"

#include <gtest/gtest.h>

#include "api/auth/cookies.h"
#include "api/auth/sign_in_page.h"

namespace plinth::api {
namespace {

using Headers = std::map<std::string, std::string, std::less<>>;

bool allowed(const Headers& headers, const std::string& method = "POST",
             const std::string& url = "https://plinth.example") {
  net::HttpRequest request;
  request.method = method;
  request.headers = headers;
  return check_same_site(request, url).ok();
}

TEST(SameSite, ReadingIsAllowedFromEverywhere) {
  EXPECT_TRUE(allowed({{"sec-fetch-site", "cross-site"}}, "GET"));
  EXPECT_TRUE(allowed({}, "HEAD"));
}

TEST(SameSite, ChangesComeFromAPageOfOursOrFromNoPage) {
  EXPECT_TRUE(allowed({{"sec-fetch-site", "same-origin"}}));
  EXPECT_TRUE(allowed({{"origin", "https://plinth.example"}}));
  EXPECT_TRUE(allowed({{"origin", "http://10.0.0.1:8080"}, {"host", "10.0.0.1:8080"}}));
  EXPECT_TRUE(allowed({{"x-plinth-csrf", "1"}}));
  for (const char* site : {"cross-site", "same-site", "none", ""})
    EXPECT_FALSE(allowed({{"sec-fetch-site", site}})) << site;
  // What the browser says of the site counts before what it says of the origin.
  EXPECT_FALSE(allowed({{"sec-fetch-site", "cross-site"}, {"origin", "https://plinth.example"}}));
  for (const char* origin : {"null", "https://evil.example", "https://plinth.example.evil.example",
                             "https://plinth.example:444", "ftp://plinth.example"})
    EXPECT_FALSE(allowed({{"origin", origin}, {"host", "plinth.example"}})) << origin;
  EXPECT_FALSE(allowed({{"origin", "http://"}, {"host", ""}}));
  EXPECT_FALSE(allowed({{"origin", ""}}, "POST", ""));
}

TEST(LocalPath, IsNothingThatABrowserTakesForAnotherHost) {
  for (const char* path : {"/", "/sign-in", "/a/b?c=d&e=//f", "/a%2F%2Fb"})
    EXPECT_TRUE(is_local_path(path)) << path;
  for (const char* path :
       {"", "//evil.example", "/\\evil.example", "\\/evil.example", "https://evil.example",
        "evil.example", "/\t/evil.example", "/a\nb", "/a b", "/\x7f", "/\xc3\xa9", "/\"><script>"})
    EXPECT_FALSE(is_local_path(path)) << path;
  EXPECT_FALSE(is_local_path("/" + std::string(5000, 'a')));
}

TEST(Cookies, AreFoundByTheirWholeName) {
  EXPECT_EQ(cookie_value("a=1; plinth_session=x=y; b=2", "plinth_session"), "x=y");
  EXPECT_EQ(cookie_value("plinth_session=", "plinth_session"), "");
  EXPECT_EQ(cookie_value("plinth_session=first;plinth_session=second", "plinth_session"), "first");
  for (const char* header : {"", "xplinth_session=1", "plinth_session", "plinth_sessionx=1",
                             "a=plinth_session=1", ";;;=;"})
    EXPECT_EQ(cookie_value(header, "plinth_session"), std::nullopt) << header;
}

TEST(SignInPage, ShowsNothingThatWasNotEscaped) {
  const std::string evil = "<script>alert(1)</script>\"'&";
  const auto html = sign_in_html({evil, "", evil, "/a\"b"});
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("/a\"b"), std::string::npos);
  EXPECT_EQ(sign_in_html({"", evil, "", ""}).find("<script"), std::string::npos);
  EXPECT_NE(sign_in_html({"", "", "wait", ""}).find("Too many attempts"), std::string::npos);
}

}  // namespace
}  // namespace plinth::api
