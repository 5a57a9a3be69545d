// The words of content policies: whose text it is, what is harmful in it, and how much.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace plinth::governance {

enum class ContentSource : std::uint8_t { prompt, completion };

enum class ContentCategory : std::uint8_t { hate, sexual, violence, self_harm };
inline constexpr std::array kContentCategories = {ContentCategory::hate, ContentCategory::sexual,
                                                  ContentCategory::violence,
                                                  ContentCategory::self_harm};

// In rising order: comparisons mean "at least as severe".
enum class Severity : std::uint8_t { safe, low, medium, high };

enum class PiiType : std::uint8_t { email, phone, credit_card, iban, us_ssn, ipv4 };

// As results on the wire spell them: "self_harm", "medium", "CREDIT_CARD".
std::string_view name_of(ContentCategory category);
std::string_view name_of(Severity severity);
std::string_view name_of(PiiType type);
// What stands in a redacted text in the place of such a span: "[CREDIT_CARD]".
std::string_view redaction_label(PiiType type);

constexpr std::size_t index_of(ContentCategory category) {
  return static_cast<std::size_t>(category);
}

}  // namespace plinth::governance
