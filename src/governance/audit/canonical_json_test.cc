#include "governance/audit/canonical_json.h"

#include <gtest/gtest.h>

namespace plinth::governance {
namespace {

std::string canonical(std::string_view text) { return canonical_json(*base::parse_json(text)); }

TEST(CanonicalJson, SortsMembersAndDropsSpaces) {
  EXPECT_EQ(canonical(R"({ "b" : [ 1 , {"z":null, "a":true} ], "a" : -7 })"),
            R"({"a":-7,"b":[1,{"a":true,"z":null}]})");
}

// RFC 8785, section 3.2.3.
TEST(CanonicalJson, SortsByUtf16Units) {
  EXPECT_EQ(canonical(R"({"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,)"
                      R"("\u00f6":7})"),
            "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,"
            "\"\xf0\x9f\x98\x80\":5,\"\xef\xac\xb3\":3}");
  EXPECT_EQ(canonical(R"({"aa":1,"a":2,"":3})"), R"({"":3,"a":2,"aa":1})");
}

// RFC 8785, section 3.2.2.2.
TEST(CanonicalJson, EscapesAsLittleAsPossible) {
  EXPECT_EQ(canonical(R"("\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/\b\f\t\u007f")"),
            "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\\f\\t\x7f\"");
}

TEST(CanonicalJson, NumbersAreIntegers) {
  EXPECT_EQ(canonical("[9223372036854775807,-9223372036854775808,0]"),
            "[9223372036854775807,-9223372036854775808,0]");
  EXPECT_EQ(canonical("[12.5,0.1]"), R"(["12.5","0.1"])");
}

}  // namespace
}  // namespace plinth::governance
