#include "base/toml.h"

#include <gtest/gtest.h>

namespace plinth::base {

namespace {

TEST(ParseToml, TextOutsideAsciiIsForStringsAndComments) {
  for (const char* text :
       {"a = \"gr\u00fc\u00df \\\" \u00e9\" # \u00e9", "# \ufe7f\na = 1", "a = '\u00e9\\' # \u00e9",
        "a = \"\"\"\u00e9\n\u00e9 \\\" \"\" \u00e9\"\"\"\"\" # \u00e9",
        "a = '''\u00e9 ' \u00e9''''\nb = \"\u00e9\"", "a = \"\"\"b \\\n  c\u00e9\"\"\"",
        "\ufeff# a byte order mark\na = 1"}) {
    const auto table = parse_toml(text, "x.toml");
    EXPECT_TRUE(table.ok()) << text << "\n" << table.status();
  }
}

TEST(ParseToml, OtherTextOutsideAsciiIsRefusedWithItsLine) {
  for (const char* text :
       {"a = 1\n\u00e9 = 2", "a = 1\n\ufe7f\n]5", "\na\u00a0= 1", "a = \"\"\nb = \"b\"\u00e9",
        "a = \"\"\"b \\\n  \u00e9\"\"\"", "a = \"\"\"\"\"\"\n\u00e9 = 'x'"}) {
    const auto table = parse_toml(text, "x.toml");
    ASSERT_FALSE(table.ok()) << text;
    EXPECT_EQ(message(table.status()),
              "x.toml:2: a character outside ASCII where no string or comment is")
        << text;
  }
}

TEST(ParseToml, SyntaxErrorsNameFileAndLine) {
  const auto table = parse_toml("a = 1\nb = \n", "x.toml");
  EXPECT_TRUE(message(table.status()).starts_with("x.toml:2: ")) << table.status();
}

}  // namespace

}  // namespace plinth::base
