// Any bytes as a token and as a key set: an answer or an error. No input can be signed by the key
// that is asked, whose private half nobody has: an accepted one is a forgery.
#include <cstdlib>
#include <string>
#include <string_view>

#include "governance/jwks.h"
#include "governance/jwt.h"

namespace {

// Its private half was thrown away.
constexpr std::string_view kKeys =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"tETlpBpSAGRU9AQRdo_J5ZXUrW46_1fG1wyP0kc-8is",)"
    R"("y":"JftmaEkzl8uasHM10bTiGOg9yinlx0Pzsja5r1m2SJA"}]})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace plinth::governance;
  static const JwkSet set = *JwkSet::parse(kKeys);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = parse_jwt(text);
  if (parsed.ok() && !text.starts_with(parsed->signed_text)) std::abort();
  const auto key = [](const std::string&) -> absl::StatusOr<JwtKey> { return *set.find(""); };
  const JwtRules rules{.issuer = "https://a", .audiences = {"b"}};
  if (verify_jwt(text, rules, key, 1'700'000'000).ok()) std::abort();
  const auto keys = JwkSet::parse(text);
  if (keys.ok() && keys->size() == 1 && keys->find("") == nullptr) std::abort();
  return 0;
}
