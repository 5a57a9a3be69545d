// Text in HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace plinth::base {

// As text, or as the value of an attribute in quotes: &, <, >, " and ' stand as &amp;, &lt;, &gt;,
// &#34; and &#39;, which is what Python's markupsafe, and so Jinja, writes.
std::string escape_html(std::string_view text);

}  // namespace plinth::base
