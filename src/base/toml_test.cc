#include "base/toml.h"

#include <gtest/gtest.h>

namespace plinth::base {

namespace {

TEST(ParseToml, LettersOutsideAsciiAreForStringsAndComments) {
  EXPECT_TRUE(parse_toml("a = \"gr\u00fc\u00df\" # \u00e9\nb = '\ufe7f'", "x.toml").ok());
  for (const char* text : {"a = 1\n\u00e9 = 2", "a = 1\n\ufe7f", "\na = 9*9\"\u01bf",
                           "a = \"\"\"b \\\n\u00e9\"\"\" \u00e9"}) {
    const auto table = parse_toml(text, "x.toml");
    EXPECT_TRUE(message(table.status()).starts_with("x.toml:2: ")) << text << table.status();
  }
}

TEST(ParseToml, SyntaxErrorsNameFileAndLine) {
  const auto table = parse_toml("a = 1\nb = \n", "x.toml");
  EXPECT_TRUE(message(table.status()).starts_with("x.toml:2: ")) << table.status();
}

}  // namespace

}  // namespace plinth::base
