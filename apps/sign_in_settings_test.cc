#include "apps/sign_in_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "apps/tls_files.h"
#include "base/file.h"

namespace plinth {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kUrl = "https://plinth.example";

class SignInSettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "sign_in_settings_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    set("auth.oidc_issuer", "https://login.example");
    set("auth.oidc_client_id", "plinth");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void set(const std::string& key, const std::string& text) {
    ASSERT_TRUE(settings_.set(key, text, "test").ok()) << key;
  }
  std::string refusal(const std::string& url = kUrl) {
    const auto options = sign_in_options(settings_, url);
    EXPECT_TRUE(absl::IsInvalidArgument(options.status())) << options.status();
    return std::string(base::message(options.status()));
  }

  std::string folder_;
  base::Settings settings_;
};

TEST_F(SignInSettingsTest, ReadsAProvider) {
  const std::string secret = folder_ + "/secret";
  ASSERT_TRUE(base::write_file_atomic(secret, "s3cret\nmore\n", 0600).ok());
  set("auth.oidc_client_secret_file", secret);
  set("auth.oidc_audiences", "one,two");
  set("auth.oidc_role_names", "Plinth.Owner=owner,a=b=default:user");
  const auto options = sign_in_options(settings_, kUrl);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->oidc->client_secret, "s3cret");
  EXPECT_EQ(options->oidc->audiences, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(options->oidc->role_names.at("a=b"), "default:user");
  EXPECT_EQ(options->oidc->redirect_uris,
            std::vector<std::string>{"https://plinth.example/auth/oidc/done"});
  EXPECT_FALSE(options->enrolment.create_people || options->enrolment.link_people ||
               options->enrolment.trust_email);
}

TEST_F(SignInSettingsTest, WithoutAnIssuerThereIsNoProvider) {
  base::Settings plain;
  const auto options = sign_in_options(plain, kUrl);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_FALSE(options->oidc.has_value());
  ASSERT_TRUE(plain.set("auth.oidc_audiences", "one", "test").ok());
  EXPECT_THAT(std::string(base::message(sign_in_options(plain, kUrl).status())),
              StartsWith("auth.oidc_audiences: "));
}

TEST_F(SignInSettingsTest, WhatIsWrongIsNamed) {
  const auto wrong = [&](const std::string& key, const std::string& text) {
    const std::string before = settings_.as_text(key);
    set(key, text);
    EXPECT_THAT(refusal(), StartsWith(key + ": ")) << text;
    set(key, before);
  };
  wrong("auth.oidc_issuer", "http://login.example");
  wrong("auth.oidc_issuer", "login.example");
  wrong("auth.oidc_issuer", "http://127.0.0.1:9000");
  wrong("auth.oidc_client_id", "");
  wrong("auth.oidc_scopes", "profile");
  wrong("auth.oidc_role_names", "Plinth.Owner");
  wrong("auth.oidc_role_names", "=owner");
  wrong("auth.oidc_role_names", "Plinth.Owner=");
  wrong("auth.oidc_role_names", "Plinth.Owner=a:b:c");
  wrong("auth.oidc_role_names", "a=owner,a=user");
  wrong("auth.oidc_group_names", "a");
  wrong("auth.oidc_client_secret_file", folder_ + "/none");
  EXPECT_THAT(refusal("http://plinth.example"), StartsWith("auth.public_url: "));
}

TEST_F(SignInSettingsTest, ASecretThatOthersMayReadIsRefused) {
  const std::string secret = folder_ + "/secret";
  ASSERT_TRUE(base::write_file_atomic(secret, "s3cret", 0640).ok());
  set("auth.oidc_client_secret_file", secret);
  EXPECT_THAT(refusal(), HasSubstr("chmod 600"));
}

TEST_F(SignInSettingsTest, ThePublicUrlIsAnOrigin) {
  EXPECT_EQ(*public_url(settings_, "http://127.0.0.1:8080"), "http://127.0.0.1:8080");
  set("auth.public_url", "https://plinth.example:8443/");
  EXPECT_EQ(*public_url(settings_, ""), "https://plinth.example:8443");
  for (const char* text : {"plinth.example", "https://", "https://plinth.example/path",
                           "ftp://plinth.example", "https://user@plinth.example"}) {
    set("auth.public_url", text);
    EXPECT_THAT(std::string(base::message(public_url(settings_, "").status())),
                StartsWith("auth.public_url: "))
        << text;
  }
}

TEST_F(SignInSettingsTest, ACertificateAndAKeyGoTogether) {
  EXPECT_EQ(*load_tls(settings_), nullptr);
  set("server.tls_certificate", folder_ + "/cert.pem");
  EXPECT_THAT(std::string(base::message(load_tls(settings_).status())),
              StartsWith("server.tls_key is empty"));
  set("server.tls_key", folder_ + "/key.pem");
  EXPECT_THAT(std::string(base::message(load_tls(settings_).status())),
              StartsWith("server.tls_certificate and server.tls_key: "));
}

}  // namespace
}  // namespace plinth
