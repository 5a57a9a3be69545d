#include "governance/passwords.h"

#include <gtest/gtest.h>

#include <set>

#include "governance/sign_in_limits.h"

namespace plinth::governance {
namespace {

constexpr PasswordCost kCheap{.memory_kib = 64, .passes = 1, .lanes = 1};
constexpr const char* kPhrase = "correct horse battery staple";

std::string hashed(std::string_view password, const PasswordCost& cost = kCheap) {
  return *hash_password(password, system_random_bytes, cost);
}

TEST(Passwords, OnlyTheSamePasswordFits) {
  const std::string phc = hashed(kPhrase);
  EXPECT_TRUE(*password_fits(kPhrase, phc));
  for (const std::string& wrong :
       {std::string(), std::string("correct horse battery stapl"),
        std::string("correct horse battery staple "), std::string("Correct horse battery staple"),
        std::string(kPhrase) + '\0', std::string(kPhrase) + std::string("\0x", 2)}) {
    EXPECT_FALSE(*password_fits(wrong, phc)) << wrong;
  }
}

TEST(Passwords, DefaultCostIsOwaspsFirstChoice) {
  const std::string phc = hashed(kPhrase, {});
  EXPECT_TRUE(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << phc;
  EXPECT_TRUE(*password_fits(kPhrase, phc));
}

// From the reference implementation's own tests.
TEST(Passwords, AgreesWithTheReference) {
  constexpr const char* kPhc =
      "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  EXPECT_TRUE(*password_fits("password", kPhc));
  EXPECT_FALSE(*password_fits("passwore", kPhc));
  EXPECT_TRUE(needs_rehash(kPhc));
}

TEST(Passwords, EachHashHasItsOwnSalt) {
  std::set<std::string> seen;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(seen.insert(hashed(kPhrase)).second);
}

TEST(Passwords, LettersComposeAlike) {
  const std::string composed = "caf\u00e9 caf\u00e9 caf\u00e9";
  const std::string apart = "cafe\u0301 cafe\u0301 cafe\u0301";
  ASSERT_NE(composed, apart);
  EXPECT_TRUE(*password_fits(apart, hashed(composed)));
  EXPECT_TRUE(*password_fits(composed, hashed(apart)));
  EXPECT_FALSE(*password_fits("cafe cafe cafe", hashed(composed)));
}

TEST(Passwords, NewOnesHaveFifteenCharacters) {
  EXPECT_FALSE(check_new_password("fourteen chars").ok());
  EXPECT_TRUE(check_new_password("fifteen charsss").ok());
  EXPECT_FALSE(check_new_password("").ok());
  // Characters, not bytes: eight of two bytes each are eight.
  EXPECT_FALSE(check_new_password("\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9").ok());
  EXPECT_TRUE(check_new_password(std::string(kPasswordBytesMax, 'x')).ok());
  EXPECT_FALSE(check_new_password(std::string(kPasswordBytesMax + 1, 'x')).ok());
  EXPECT_FALSE(check_new_password("not UTF-8 at all \xff\xfe").ok());
}

TEST(Passwords, ImpossibleOnesAreHashedByNobodyAndFitNothing) {
  const std::string too_long(kPasswordBytesMax + 1, 'x');
  for (const std::string& bad : {too_long, std::string("\xff")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(hash_password(bad, system_random_bytes, kCheap).status()));
    EXPECT_FALSE(*password_fits(bad, hashed(kPhrase)));
    EXPECT_FALSE(*password_fits(bad, hashed("")));
  }
}

TEST(Passwords, AnotherCostAsksForARehash) {
  EXPECT_FALSE(needs_rehash(hashed(kPhrase), kCheap));
  for (const PasswordCost& other :
       {PasswordCost{128, 1, 1}, PasswordCost{64, 2, 1}, PasswordCost{64, 1, 2}}) {
    EXPECT_TRUE(needs_rehash(hashed(kPhrase), other));
  }
  EXPECT_TRUE(needs_rehash(""));
}

TEST(Passwords, RefusesDamagedAndHostileHashes) {
  const std::string salt = "c29tZXNhbHQ";
  const std::string hash = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  for (const std::string& phc :
       {std::string(),
        std::string("plain"),
        std::string("$$$$$"),
        "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + hash,
        "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + hash,
        "$argon2id$m=64,t=1,p=1$" + salt + "$" + hash,
        "$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + hash,
        "$argon2id$v=19$m=64,t=4294967295,p=1$" + salt + "$" + hash,
        "$argon2id$v=19$m=64,t=1,p=16777215$" + salt + "$" + hash,
        "$argon2id$v=19$m=0,t=1,p=1$" + salt + "$" + hash,
        "$argon2id$v=19$m=+64,t=1,p=1$" + salt + "$" + hash,
        "$argon2id$v=19$m= 64,t=1,p=1$" + salt + "$" + hash,
        "$argon2id$v=19$m=064,t=1,p=1$" + salt + "$" + hash,
        "$argon2id$v=19$t=1,m=64,p=1$" + salt + "$" + hash,
        "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + hash + "=",
        "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + hash + "$",
        "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
        "$argon2id$v=19$m=64,t=1,p=1$$" + hash,
        "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAA",
        "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + std::string(1000, 'A')}) {
    EXPECT_EQ(password_fits("password", phc).status().code(), absl::StatusCode::kDataLoss) << phc;
  }
}

TEST(Passwords, ARefusedRandomSourceMakesNoHash) {
  const auto none = [](std::size_t) -> absl::StatusOr<std::string> { return base::internal("no"); };
  EXPECT_FALSE(hash_password(kPhrase, none, kCheap).ok());
}

}  // namespace
}  // namespace plinth::governance
