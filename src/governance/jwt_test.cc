#include "governance/jwt.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "governance/testing/test_keys.h"

namespace plinth::governance {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;
const JwtRules kRules{.issuer = "https://login.example", .audiences = {"api://plinth"}};

base::json::object good_claims() {
  return {{"iss", "https://login.example"},
          {"aud", "api://plinth"},
          {"sub", "user-1"},
          {"iat", kNow - 10},
          {"exp", kNow + 3600}};
}

absl::StatusOr<JwtKey> find_key(const std::string& key_id) {
  if (key_id == "rsa") return rsa_key().key();
  if (key_id == "ec") return ec_key().key();
  return absl::UnauthenticatedError("no such key");
}

absl::StatusOr<JwtClaims> verify(std::string_view token, std::int64_t now = kNow,
                                 const JwtRules& rules = kRules) {
  return verify_jwt(token, rules, find_key, now);
}

template <typename T>
absl::StatusOr<JwtClaims> verify_with(std::string_view claim, const T& value) {
  auto claims = good_claims();
  claims[claim] = value;
  return verify(ec_key().token(ec_key().header("ec"), claims));
}

bool refused(const absl::StatusOr<JwtClaims>& result) {
  return absl::IsUnauthenticated(result.status());
}

std::string good_rsa() { return rsa_key().token(rsa_key().header("rsa"), good_claims()); }
std::string good_ec() { return ec_key().token(ec_key().header("ec"), good_claims()); }

// A good token but for that member of its header, signed by `key`.
template <typename T>
std::string with_header(const TestKey& key, std::string_view name, const T& value) {
  auto header = key.header(&key == &rsa_key() ? "rsa" : "ec");
  header[name] = value;
  return key.token(header, good_claims());
}

TEST(Jwt, AcceptsBothAlgorithms) {
  for (const auto& token : {good_rsa(), good_ec()}) {
    const auto claims = verify(token);
    ASSERT_TRUE(claims.ok()) << claims.status();
    EXPECT_EQ(claims->issuer, "https://login.example");
    EXPECT_EQ(claims->subject, "user-1");
    EXPECT_EQ(claims->expires_unix_s, kNow + 3600);
    EXPECT_TRUE(claims->all.contains("iat"));
  }
}

TEST(Jwt, RefusesAlgNone) {
  for (const char* none : {"none", "None", "NONE", "nOnE", ""}) {
    auto header = rsa_key().header("rsa");
    header["alg"] = none;
    const std::string text = jwt_part(header) + "." + jwt_part(good_claims());
    EXPECT_TRUE(refused(verify(text + "."))) << none;
    EXPECT_TRUE(refused(verify(text))) << none;
    EXPECT_TRUE(refused(verify(text + "." + base64url(rsa_key().signature(text))))) << none;
  }
}

TEST(Jwt, RefusesEveryOtherAlgorithm) {
  for (const char* name : {"RS384", "RS512", "PS256", "ES384", "ES256K", "EdDSA", "HS256", "HS384",
                           "HS512", "rs256", "RS256 ", "RSA1_5", "dir"}) {
    EXPECT_TRUE(refused(verify(with_header(rsa_key(), "alg", name)))) << name;
    EXPECT_TRUE(refused(verify(with_header(ec_key(), "alg", name)))) << name;
  }
  EXPECT_TRUE(refused(verify(with_header(rsa_key(), "alg", base::json::array{"RS256"}))));
  EXPECT_TRUE(refused(verify(with_header(rsa_key(), "alg", nullptr))));
}

std::string hmac_sha256(std::string_view secret, std::string_view text) {
  std::string out(32, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(out.data()), &size);
  return out;
}

std::string public_pem(const TestKey& key) {
  BIO* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(memory, key.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  std::string pem(data, static_cast<std::size_t>(size));
  BIO_free(memory);
  return pem;
}

// CVE-2015-9235 and its many sisters: everybody knows the public key.
TEST(Jwt, RefusesAnHmacUnderTheRsaPublicKey) {
  const auto jwk = rsa_key().jwk("rsa");
  const std::string modulus = *base64url_bytes(std::string(jwk.at("n").as_string()));
  for (const std::string& secret : {public_pem(rsa_key()), modulus, base::to_json(jwk)}) {
    for (const char* algorithm : {"HS256", "RS256"}) {
      auto header = rsa_key().header("rsa");
      header["alg"] = algorithm;
      const std::string text = jwt_part(header) + "." + jwt_part(good_claims());
      EXPECT_TRUE(refused(verify(text + "." + base64url(hmac_sha256(secret, text)))));
    }
  }
}

TEST(Jwt, AKeyFitsOneAlgorithmAlone) {
  // Signed well by the other key, under the name of this one.
  EXPECT_TRUE(refused(verify(ec_key().token(ec_key().header("rsa"), good_claims()))));
  EXPECT_TRUE(refused(verify(rsa_key().token(rsa_key().header("ec"), good_claims()))));
  // Signed well by the key that is named, but in another algorithm's name.
  EXPECT_TRUE(refused(verify(with_header(rsa_key(), "alg", "ES256"))));
  EXPECT_TRUE(refused(verify(with_header(ec_key(), "alg", "RS256"))));
  auto header = ec_key().header("rsa");
  header["alg"] = "RS256";
  EXPECT_TRUE(refused(verify(ec_key().token(header, good_claims()))));
}

TEST(Jwt, RefusesAnotherKeysSignature) {
  const TestKey stranger = TestKey::p256();
  EXPECT_TRUE(refused(verify(stranger.token(stranger.header("ec"), good_claims()))));
}

TEST(Jwt, LooksAtNoKeyThatATokenBrings) {
  const TestKey stranger = TestKey::p256();
  auto header = stranger.header("ec");
  header["jwk"] = stranger.jwk("ec");
  header["jku"] = "https://evil.example/keys";
  header["x5u"] = "https://evil.example/cert";
  EXPECT_TRUE(refused(verify(stranger.token(header, good_claims()))));
  header.erase("kid");
  EXPECT_TRUE(refused(verify(stranger.token(header, good_claims()))));
}

TEST(Jwt, RefusesASwappedHeaderOrClaims) {
  const std::string token = good_ec();
  const std::string claims = token.substr(token.find('.'));
  auto header = ec_key().header("ec");
  header.erase("typ");
  EXPECT_TRUE(refused(verify(jwt_part(header) + claims)));
  auto other = good_claims();
  other["sub"] = "admin";
  const auto last = token.rfind('.');
  EXPECT_TRUE(
      refused(verify(token.substr(0, token.find('.') + 1) + jwt_part(other) + token.substr(last))));
}

TEST(Jwt, RefusesOneChangedByteAnywhere) {
  for (const std::string& token : {good_ec(), good_rsa()}) {
    for (std::size_t i = 0; i < token.size(); ++i) {
      for (const char c : {'A', 'Q', '.', '=', '\0'}) {
        std::string wrong = token;
        wrong[i] = wrong[i] == c ? 'B' : c;
        ASSERT_TRUE(refused(verify(wrong))) << i << " " << c;
      }
      for (const int bit : {0, 1, 2, 3, 4, 5, 6, 7}) {
        std::string wrong = token;
        wrong[i] = static_cast<char>(wrong[i] ^ (1 << bit));
        ASSERT_TRUE(refused(verify(wrong))) << i << " bit " << bit;
      }
    }
  }
}

TEST(Jwt, RefusesTruncatedAndExtendedTokens) {
  const std::string token = good_ec();
  for (std::size_t size = 0; size < token.size(); ++size) {
    ASSERT_TRUE(refused(verify(token.substr(0, size)))) << size;
  }
  for (const char* tail : {"A", "AAAA", "=", "==", ".", ".A", " ", "\n", "\r\n"}) {
    EXPECT_TRUE(refused(verify(token + tail))) << tail;
    EXPECT_TRUE(refused(verify(tail + token))) << tail;
  }
}

TEST(Jwt, RefusesDegenerateEcSignatures) {
  const std::string token = good_ec();
  const std::string text = token.substr(0, token.rfind('.'));
  // CVE-2022-21449: r = s = 0; then wrong sizes, and the ASN.1 form.
  for (const auto& signature :
       {std::string(64, '\0'), std::string(63, '\1'), std::string(65, '\1'),
        std::string(64, '\xff'), std::string("\x30\x06\x02\x01\x01\x02\x01\x01")}) {
    EXPECT_TRUE(refused(verify(text + "." + base64url(signature))));
  }
}

TEST(Jwt, RefusesHugeTokens) {
  auto claims = good_claims();
  claims["pad"] = std::string(20'000, 'x');
  EXPECT_TRUE(refused(verify(ec_key().token(ec_key().header("ec"), claims))));
  EXPECT_TRUE(refused(verify(std::string(1 << 20, 'A'))));
  EXPECT_TRUE(refused(verify(std::string(1 << 14, '.'))));
  EXPECT_TRUE(refused(verify(with_header(ec_key(), "pad", std::string(2000, 'x')))));
  base::json::value deep = 1;
  for (int i = 0; i < 200; ++i) deep = base::json::array{deep};
  EXPECT_TRUE(refused(verify_with("deep", deep)));
}

TEST(Jwt, KeyIdsAreNamesAndNothingElse) {
  for (const std::string& key_id :
       {std::string("../../../../dev/null"), std::string("' OR 1=1 --"), std::string("| id"),
        std::string("ec\0", 3), std::string("EC"), std::string(300, 'k'), std::string()}) {
    EXPECT_TRUE(refused(verify(with_header(ec_key(), "kid", base::json::string(key_id)))));
  }
  for (const base::json::value& key_id : {base::json::value(1), base::json::value(nullptr),
                                          base::json::value(base::json::array{"ec"}),
                                          base::json::value(base::json::object{{"ec", "ec"}})}) {
    EXPECT_TRUE(refused(verify(with_header(ec_key(), "kid", key_id))));
  }
}

TEST(Jwt, RefusesCriticalExtensionsAndOtherTypes) {
  EXPECT_TRUE(refused(verify(with_header(ec_key(), "crit", base::json::array{"b64"}))));
  EXPECT_TRUE(refused(verify(with_header(ec_key(), "crit", base::json::array{}))));
  EXPECT_TRUE(verify(with_header(ec_key(), "typ", "at+JWT")).ok());
  for (const char* type : {"logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", ""}) {
    EXPECT_TRUE(refused(verify(with_header(ec_key(), "typ", type)))) << type;
  }
  EXPECT_TRUE(refused(verify(with_header(ec_key(), "typ", 1))));
}

TEST(Jwt, ChecksIssuerAndAudience) {
  for (const base::json::value& issuer :
       {base::json::value("https://login.example/"), base::json::value("https://evil.example"),
        base::json::value(""), base::json::value(nullptr),
        base::json::value(base::json::array{"https://login.example"})}) {
    EXPECT_TRUE(refused(verify_with("iss", issuer)));
  }
  for (const base::json::value& audience :
       {base::json::value("api://other"), base::json::value("api://plinth2"), base::json::value(""),
        base::json::value(nullptr), base::json::value(base::json::array{}),
        base::json::value(base::json::array{"api://other", 1}),
        base::json::value(base::json::object{{"api://plinth", "api://plinth"}})}) {
    EXPECT_TRUE(refused(verify_with("aud", audience))) << base::to_json(audience);
  }
  EXPECT_TRUE(verify_with("aud", base::json::array{"api://other", "api://plinth"}).ok());
  JwtRules none = kRules;
  none.audiences = {};
  EXPECT_TRUE(refused(verify(good_ec(), kNow, none)));
  none.audiences = {""};
  EXPECT_TRUE(refused(verify(good_ec(), kNow, none)));
}

TEST(Jwt, RequiresIssuerAudienceSubjectAndExpiry) {
  for (const char* name : {"iss", "aud", "sub", "exp"}) {
    auto claims = good_claims();
    claims.erase(name);
    EXPECT_TRUE(refused(verify(ec_key().token(ec_key().header("ec"), claims)))) << name;
  }
  EXPECT_TRUE(refused(verify_with("sub", "")));
  EXPECT_TRUE(refused(verify_with("sub", 7)));
  EXPECT_TRUE(refused(verify_with("sub", std::string(256, 's'))));
}

TEST(Jwt, ExpiresAMinuteAfterItSays) {
  const std::string token = good_ec();
  EXPECT_TRUE(verify(token, kNow + 3600 + 59).ok());
  EXPECT_TRUE(refused(verify(token, kNow + 3600 + 60)));
}

TEST(Jwt, BeginsAMinuteBeforeItSays) {
  for (const char* name : {"nbf", "iat"}) {
    EXPECT_TRUE(verify_with(name, kNow + 60).ok()) << name;
    EXPECT_TRUE(refused(verify_with(name, kNow + 61))) << name;
    EXPECT_TRUE(refused(verify_with(name, "soon"))) << name;
  }
  EXPECT_TRUE(verify_with("nbf", static_cast<double>(kNow) + 0.5).ok());
}

TEST(Jwt, RefusesDatesOutsideTheCalendar) {
  for (const base::json::value& date :
       {base::json::value(-1), base::json::value(INT64_MAX), base::json::value(INT64_MIN),
        base::json::value(UINT64_MAX), base::json::value(1e300), base::json::value("1800000000"),
        base::json::value(true)}) {
    EXPECT_TRUE(refused(verify_with("exp", date))) << base::to_json(date);
  }
}

TEST(Jwt, ChecksTheTenantWhereOneIsSet) {
  JwtRules rules = kRules;
  rules.tenant = "tenant-1";
  EXPECT_TRUE(refused(verify(good_ec(), kNow, rules)));
  auto claims = good_claims();
  claims["tid"] = "tenant-1";
  const std::string token = ec_key().token(ec_key().header("ec"), claims);
  EXPECT_TRUE(verify(token, kNow, rules).ok());
  rules.tenant = "tenant-2";
  EXPECT_TRUE(refused(verify(token, kNow, rules)));
}

TEST(Jwt, PassesOnThatKeysCouldNotBeAsked) {
  const auto out = [](const std::string&) -> absl::StatusOr<JwtKey> {
    return base::unavailable("out");
  };
  EXPECT_TRUE(absl::IsUnavailable(verify_jwt(good_ec(), kRules, out, kNow).status()));
}

TEST(Jwt, MessagesRepeatNothingOfTheToken) {
  const auto wrong = verify_with("iss", "https://canary.example");
  EXPECT_EQ(base::message(wrong.status()).find("canary"), std::string::npos);
}

}  // namespace
}  // namespace plinth::governance
