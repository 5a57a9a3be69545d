// A Cookie header and a path to return to: what is found is a part of what was sent, and no path
// leads elsewhere.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/auth/cookies.h"
#include "api/auth/same_site.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plinth::api;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto value = cookie_value(text, "plinth_session")) {
    CHECK(text.find(*value) != std::string_view::npos);
    CHECK(value->find(';') == std::string::npos);
    CHECK(text.find("plinth_session") != std::string_view::npos);
  }
  if (is_local_path(text)) {
    CHECK(text[0] == '/');
    CHECK(text.size() == 1 || (text[1] != '/' && text[1] != '\\'));
  }
  return 0;
}
