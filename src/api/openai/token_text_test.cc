#include "api/openai/token_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "api/openai/obfuscation.h"
#include "base/json.h"

namespace plinth::api {
namespace {

TEST(TokenText, KnowsUtf8) {
  for (const char* good : {"", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xE2\x82",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3(", "a\xFF"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(TokenText, LogprobsAreAlwaysJsonNumbers) {
  for (const float x : {-0.5f, -1e-20f, 0.0f, -0.0f, -INFINITY, NAN}) {
    std::string text;
    append_logprob(text, x);
    const auto value = base::parse_json(text);
    ASSERT_TRUE(value.ok()) << text;
    EXPECT_EQ(value->to_number<float>(), std::isfinite(x) ? x : -9999.0f) << text;
  }
}

// Sizes seen from outside must not give the text's away: chunks of one and of nine bytes have to
// come in the same sizes now and then, and their sums must not be the texts' plus a constant.
TEST(Obfuscation, HidesTheLengthOfTheText) {
  Obfuscator obfuscator(7);
  std::vector<std::size_t> one, nine;
  for (int i = 0; i < 200; ++i) {
    std::string out;
    obfuscator.append(out, 1);
    one.push_back(out.size() + 1);
    out.clear();
    obfuscator.append(out, 9);
    nine.push_back(out.size() + 9);
  }
  EXPECT_EQ(std::set(one.begin(), one.end()), std::set(nine.begin(), nine.end()));
  EXPECT_GE(std::set(one.begin(), one.end()).size(), 12u);
}

TEST(Obfuscation, IsAFieldOfAJsonObjectAndDependsOnItsSeed) {
  const auto padding = [](std::uint64_t seed) {
    Obfuscator obfuscator(seed);
    std::string out = "{\"x\":1";
    obfuscator.append(out, 3);
    return std::string(
        base::parse_json(out + "}").value().as_object().at("obfuscation").as_string());
  };
  EXPECT_FALSE(padding(1).empty());
  EXPECT_EQ(padding(1), padding(1));
  EXPECT_NE(padding(1), padding(2));
}

}  // namespace
}  // namespace plinth::api
