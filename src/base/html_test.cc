#include "base/html.h"

#include <gtest/gtest.h>

namespace plinth::base {
namespace {

TEST(EscapeHtml, LeavesNoMarkup) {
  EXPECT_EQ(escape_html("<a href=\"x\" b='y'>&amp;</a>"),
            "&lt;a href=&#34;x&#34; b=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
  EXPECT_EQ(escape_html("Größe 1"), "Größe 1");
  EXPECT_EQ(escape_html(""), "");
}

}  // namespace
}  // namespace plinth::base
