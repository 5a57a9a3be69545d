#include "governance/oidc.h"

#include <gtest/gtest.h>

#include <set>

#include "governance/sign_in_limits.h"
#include "governance/testing/fake_provider.h"

namespace plinth::governance {
namespace {

constexpr const char* kBack = "https://plinth.example/sign-in/done";

OidcOptions good_options() {
  OidcOptions options;
  options.issuer = FakeProvider::kIssuer;
  options.client_id = "plinth-ui";
  options.client_secret = "se:cret";
  options.audiences = {"api://plinth"};
  options.redirect_uris = {kBack};
  options.role_names = {{"Plinth.Admin", "owner"}, {"Plinth.User", "user"}};
  options.group_names = {{"8f1c", "research"}};
  return options;
}

class OidcTest : public ::testing::Test {
 protected:
  void SetUp() override { open(good_options()); }
  void open(const OidcOptions& options) {
    oidc_ = *OidcProvider::create(options, fake_.fetch(), fake_.post(), secrets_, clock_);
  }
  absl::StatusCode finish(const SignInReturn& back) {
    return oidc_->finish_sign_in(back).status().code();
  }
  absl::StatusCode create(const OidcOptions& options) {
    return OidcProvider::create(options, fake_.fetch(), fake_.post(), secrets_, clock_)
        .status()
        .code();
  }

  base::FakeClock clock_;
  FakeProvider fake_{clock_};
  SignInSecrets secrets_{std::string(32, 'k'), system_random_bytes};
  std::unique_ptr<OidcProvider> oidc_;
};

constexpr auto kOk = absl::StatusCode::kOk;
constexpr auto kRefused = absl::StatusCode::kUnauthenticated;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST_F(OidcTest, VerifiesAnAccessToken) {
  auto claims = fake_.claims("api://plinth");
  claims["email"] = "ada@example.com";
  claims["name"] = "Ada";
  claims["roles"] = {"Plinth.Admin", "Other.Admin", 7};
  claims["groups"] = {"8f1c", "ffff"};
  const auto who = oidc_->verify(fake_.token(claims));
  ASSERT_TRUE(who.ok()) << who.status();
  const Identity expected{
      FakeProvider::kIssuer,       "user-1", "ada@example.com", "Ada", {"owner"}, {"research"},
      clock_.unix_seconds() + 3600};
  EXPECT_EQ(*who, expected);
  EXPECT_TRUE(oidc_->verify(fake_.token(claims)).ok());
  EXPECT_EQ(fake_.fetches, 2);  // discovery and keys, once
}

TEST_F(OidcTest, RefusesAnIdTokenAsAnAccessToken) {
  EXPECT_EQ(oidc_->verify(fake_.token(fake_.claims("plinth-ui"))).status().code(), kRefused);
  auto options = good_options();
  options.audiences = {};
  open(options);
  EXPECT_EQ(oidc_->verify(fake_.token(fake_.claims("plinth-ui"))).status().code(), kRefused);
}

TEST_F(OidcTest, RolesComeFromNestedClaimsUrlsAndWords) {
  auto claims = fake_.claims("api://plinth");
  claims["realm_access"] = base::json::object{{"roles", base::json::array{"Plinth.User"}}};
  claims["https://plinth.example/roles"] = base::json::array{"Plinth.Admin"};
  claims["scp"] = "openid Plinth.User Plinth.Admin";
  claims["number"] = 7;
  const auto roles = [&](const std::string& path) {
    auto options = good_options();
    options.roles_claim = path;
    open(options);
    return oidc_->verify(fake_.token(claims))->roles;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(roles("realm_access.roles"), Names{"user"});
  EXPECT_EQ(roles("https://plinth.example/roles"), Names{"owner"});
  EXPECT_EQ(roles("scp"), (Names{"owner", "user"}));
  for (const char* path : {"", ".", "number", "number.x", "realm_access", "realm_access.",
                           "realm_access.roles.x", "none.roles"}) {
    EXPECT_EQ(roles(path), Names{}) << path;
  }
}

TEST_F(OidcTest, AnUnverifiedAddressIsNoAddress) {
  auto claims = fake_.claims("api://plinth");
  claims["email"] = "ceo@example.com";
  for (const base::json::value& verified : {base::json::value(false), base::json::value("false")}) {
    claims["email_verified"] = verified;
    EXPECT_EQ(oidc_->verify(fake_.token(claims))->email, "");
  }
  claims["email_verified"] = true;
  EXPECT_EQ(oidc_->verify(fake_.token(claims))->email, "ceo@example.com");
}

TEST_F(OidcTest, ChecksTheTenant) {
  auto options = good_options();
  options.tenant = "t1";
  open(options);
  auto claims = fake_.claims("api://plinth");
  EXPECT_EQ(oidc_->verify(fake_.token(claims)).status().code(), kRefused);
  claims["tid"] = "t1";
  EXPECT_TRUE(oidc_->verify(fake_.token(claims)).ok());
}

TEST_F(OidcTest, ProviderOutageIsNotTheTokensFault) {
  fake_.out = true;
  const std::string token = fake_.token(fake_.claims("api://plinth"));
  EXPECT_EQ(oidc_->verify(token).status().code(), kUnavailable);
  EXPECT_EQ(oidc_->begin_sign_in(kBack).status().code(), kUnavailable);
  fake_.out = false;
  clock_.advance(kProviderRefetchMin);
  EXPECT_TRUE(oidc_->verify(token).ok());
  fake_.out = true;
  clock_.advance(kProviderRefresh);
  const std::string fresh = fake_.token(fake_.claims("api://plinth"));
  EXPECT_TRUE(oidc_->verify(fresh).ok());
}

TEST_F(OidcTest, RefusesAnotherIssuersDiscovery) {
  for (const char* issuer : {"https://login.example/other", "https://login.example/tenant/", ""}) {
    fake_.discovery["issuer"] = issuer;
    open(good_options());
    EXPECT_EQ(oidc_->verify(fake_.token(fake_.claims("api://plinth"))).status().code(),
              kUnavailable);
  }
}

TEST_F(OidcTest, RefusesPlainHttpInDiscovery) {
  for (const char* name : {"jwks_uri", "token_endpoint", "authorization_endpoint"}) {
    const auto kept = fake_.discovery;
    for (const char* url : {"http://login.example/x", "http://127.0.0.1/x", "file:///etc/passwd",
                            "https://user@login.example/x", "//login.example/x", "x y"}) {
      fake_.discovery[name] = url;
      open(good_options());
      EXPECT_EQ(oidc_->begin_sign_in(kBack).status().code(), kUnavailable) << name << url;
    }
    fake_.discovery = kept;
  }
}

TEST_F(OidcTest, ChecksItsOptions) {
  EXPECT_EQ(create(good_options()), kOk);
  const auto with = [](auto change) {
    auto options = good_options();
    change(options);
    return options;
  };
  for (const char* issuer : {"", "login.example", "http://login.example", "http://localhost:8080",
                             "https://", "https://login.example?x", "https://login.example#x",
                             "https://a:b@login.example", "ftp://login.example"}) {
    EXPECT_EQ(create(with([&](auto& o) { o.issuer = issuer; })), kInvalid) << issuer;
  }
  EXPECT_EQ(create(with([](auto& o) { o.client_id = ""; })), kInvalid);
  EXPECT_EQ(create(with([](auto& o) { o.scopes = {"profile"}; })), kInvalid);
  EXPECT_EQ(create(with([](auto& o) { o.redirect_uris = {"http://plinth.example/"}; })), kInvalid);
  const auto loopback = [&](const char* issuer) {
    return create(with([&](auto& o) {
      o.issuer = issuer;
      o.allow_loopback_http = true;
    }));
  };
  for (const char* issuer :
       {"http://localhost:8080", "http://127.0.0.1:1/a", "http://[::1]:8080"}) {
    EXPECT_EQ(loopback(issuer), kOk) << issuer;
  }
  for (const char* issuer : {"http://localhost.evil.example", "http://127.0.0.1.evil.example",
                             "http://localhost@evil.example", "http://10.0.0.1"}) {
    EXPECT_EQ(loopback(issuer), kInvalid) << issuer;
  }
}

TEST_F(OidcTest, SignsAPersonIn) {
  const auto start = oidc_->begin_sign_in(kBack);
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_TRUE(start->url.starts_with("https://login.example/tenant/authorize?"));
  const auto back = fake_.browse(*start);
  EXPECT_EQ(fake_.asked["response_type"], "code");
  EXPECT_EQ(fake_.asked["redirect_uri"], kBack);
  EXPECT_EQ(fake_.asked["scope"], "openid profile email");
  EXPECT_EQ(fake_.asked["code_challenge_method"], "S256");
  EXPECT_EQ(fake_.asked["nonce"], start->nonce);
  EXPECT_EQ(start->url.find(start->code_verifier), std::string::npos);
  const auto who = oidc_->finish_sign_in(back);
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_EQ(who->subject, "user-1");
  EXPECT_EQ(fake_.posted.authorization, "Basic cGxpbnRoLXVpOnNlJTNBY3JldA==");
}

TEST_F(OidcTest, EachSignInHasItsOwnSecrets) {
  std::set<std::string> seen;
  for (int i = 0; i < 20; ++i) {
    const auto start = *oidc_->begin_sign_in(kBack);
    for (const auto& text : {start.state, start.nonce, start.code_verifier}) {
      EXPECT_GE(text.size(), 43u);  // RFC 7636's least for a verifier
      EXPECT_LE(text.size(), 128u);
      EXPECT_TRUE(seen.insert(text).second);
    }
  }
}

TEST_F(OidcTest, TheSecretTravelsAsTheProviderTakesIt) {
  fake_.discovery["token_endpoint_auth_methods_supported"] =
      base::json::array{"client_secret_post"};
  open(good_options());
  EXPECT_EQ(finish(fake_.browse(*oidc_->begin_sign_in(kBack))), kOk);
  EXPECT_EQ(fake_.posted.authorization, "");
  EXPECT_EQ(FakeProvider::query(fake_.posted.body)["client_secret"], "se:cret");
  auto options = good_options();
  options.client_secret = "";
  open(options);
  EXPECT_EQ(finish(fake_.browse(*oidc_->begin_sign_in(kBack))), kOk);
  EXPECT_EQ(fake_.posted.authorization, "");
  EXPECT_EQ(FakeProvider::query(fake_.posted.body)["client_id"], "plinth-ui");
  EXPECT_FALSE(FakeProvider::query(fake_.posted.body).contains("client_secret"));
}

TEST_F(OidcTest, AStateIsSpentOnce) {
  const auto back = fake_.browse(*oidc_->begin_sign_in(kBack));
  EXPECT_EQ(finish(back), kOk);
  EXPECT_EQ(finish(back), kRefused);
  // Also where it came to nothing.
  auto failed = fake_.browse(*oidc_->begin_sign_in(kBack));
  failed.code = "stolen";
  EXPECT_EQ(finish(failed), kRefused);
  failed.code = "code/1+";
  EXPECT_EQ(finish(failed), kRefused);
}

TEST_F(OidcTest, AStateExpires) {
  const auto in_time = fake_.browse(*oidc_->begin_sign_in(kBack));
  clock_.advance(kSignInTimeMax - std::chrono::seconds(1));
  EXPECT_EQ(finish(in_time), kOk);
  const auto late = fake_.browse(*oidc_->begin_sign_in(kBack));
  clock_.advance(kSignInTimeMax);
  EXPECT_EQ(finish(late), kRefused);
}

TEST_F(OidcTest, OnlyTheBrowserThatBeganMayFinish) {
  auto back = fake_.browse(*oidc_->begin_sign_in(kBack));
  const std::string own = back.browser_state;
  for (const std::string& other :
       {std::string(), std::string("x"), oidc_->begin_sign_in(kBack)->state}) {
    back.browser_state = other;
    EXPECT_EQ(finish(back), kRefused);
  }
  EXPECT_EQ(finish({.state = "", .code = "code/1+", .browser_state = ""}), kRefused);
  back.browser_state = own;
  EXPECT_EQ(finish(back), kOk);
}

TEST_F(OidcTest, AFloodOfSignInsForgetsNobodys) {
  const auto oldest = fake_.browse(*oidc_->begin_sign_in(kBack));
  for (std::size_t i = 0; i <= kSpentSignInsMax; ++i) ASSERT_TRUE(oidc_->begin_sign_in(kBack).ok());
  EXPECT_EQ(finish(oldest), kOk);
}

TEST_F(OidcTest, AnotherGatewayOfTheServiceFinishesASignIn) {
  const auto first = fake_.browse(*oidc_->begin_sign_in(kBack));
  const auto begun = *oidc_->begin_sign_in(kBack);
  open(good_options());
  EXPECT_EQ(finish(first), kOk);
  // One of another service does not.
  secrets_.key = std::string(32, 'x');
  open(good_options());
  EXPECT_EQ(finish(fake_.browse(begun)), kRefused);
}

TEST_F(OidcTest, NotOneByteOfAStateMayChange) {
  const auto back = fake_.browse(*oidc_->begin_sign_in(kBack));
  for (std::size_t i = 0; i < back.state.size(); ++i) {
    auto changed = back;
    changed.state[i] = changed.state[i] == '1' ? '2' : '1';
    changed.browser_state = changed.state;
    EXPECT_EQ(finish(changed), kRefused) << i;
  }
  for (const char* state : {"", ".", "..", "a.b.c", "a.99999999999999999999.b", "1.9999999999."}) {
    auto made_up = back;
    made_up.state = made_up.browser_state = state;
    EXPECT_EQ(finish(made_up), kRefused) << state;
  }
  EXPECT_EQ(finish(back), kOk);
}

TEST_F(OidcTest, ComesBackOnlyToListedAddresses) {
  for (const char* uri : {"https://evil.example/", "https://plinth.example/sign-in/done/",
                          "https://plinth.example/sign-in/done?x", ""}) {
    EXPECT_EQ(oidc_->begin_sign_in(uri).status().code(), kInvalid) << uri;
  }
}

TEST_F(OidcTest, RefusesATokenOfAnotherSignIn) {
  const auto first = fake_.browse(*oidc_->begin_sign_in(kBack));
  const std::string first_token = fake_.token(fake_.id_claims);
  const auto second = fake_.browse(*oidc_->begin_sign_in(kBack));
  fake_.id_token = first_token;
  EXPECT_EQ(finish(second), kRefused);
  fake_.id_token = "";
  const auto third = fake_.browse(*oidc_->begin_sign_in(kBack));
  fake_.id_claims.erase("nonce");
  EXPECT_EQ(finish(third), kRefused);
}

TEST_F(OidcTest, RefusesATokenOfAnotherParty) {
  const auto finish_with = [&](std::string_view claim, const base::json::value& value) {
    const auto back = fake_.browse(*oidc_->begin_sign_in(kBack));
    fake_.id_claims[claim] = value;
    return finish(back);
  };
  EXPECT_EQ(finish_with("aud", "other-ui"), kRefused);
  EXPECT_EQ(finish_with("azp", "other-ui"), kRefused);
  EXPECT_EQ(finish_with("azp", "plinth-ui"), kOk);
  EXPECT_EQ(finish_with("aud", {"plinth-ui", "other-ui"}), kRefused);
  EXPECT_EQ(finish_with("aud", base::json::array{"plinth-ui"}), kOk);
  EXPECT_EQ(finish_with("iss", "https://evil.example"), kRefused);
  EXPECT_EQ(finish_with("exp", clock_.unix_seconds() - 61), kRefused);
}

TEST_F(OidcTest, RefusesAMixUpOfProviders) {
  auto back = fake_.browse(*oidc_->begin_sign_in(kBack));
  back.issuer = "https://evil.example";
  EXPECT_EQ(finish(back), kRefused);
  EXPECT_EQ(fake_.posted.url, "");  // the code did not leave
  back = fake_.browse(*oidc_->begin_sign_in(kBack));
  back.issuer = FakeProvider::kIssuer;
  EXPECT_EQ(finish(back), kOk);
}

TEST_F(OidcTest, TellsAFailingProviderFromARefusedCode) {
  auto back = fake_.browse(*oidc_->begin_sign_in(kBack));
  fake_.status = 503;
  EXPECT_EQ(finish(back), kUnavailable);
  fake_.status = 200;
  back = fake_.browse(*oidc_->begin_sign_in(kBack));
  fake_.out = true;
  EXPECT_EQ(finish(back), kUnavailable);
  fake_.out = false;
  back = fake_.browse(*oidc_->begin_sign_in(kBack));
  back.code = std::string(kCodeBytesMax + 1, 'c');
  EXPECT_EQ(finish(back), kRefused);
}

}  // namespace
}  // namespace plinth::governance
