#include "governance/content_types.h"

namespace plinth::governance {

std::string_view name_of(ContentCategory category) {
  constexpr std::array<std::string_view, 4> kNames = {"hate", "sexual", "violence", "self_harm"};
  return kNames[index_of(category)];
}

std::string_view name_of(Severity severity) {
  constexpr std::array<std::string_view, 4> kNames = {"safe", "low", "medium", "high"};
  return kNames[static_cast<std::size_t>(severity)];
}

std::string_view redaction_label(PiiType type) {
  constexpr std::array<std::string_view, 6> kLabels = {"[EMAIL]", "[PHONE]",  "[CREDIT_CARD]",
                                                       "[IBAN]",  "[US_SSN]", "[IPV4]"};
  return kLabels[static_cast<std::size_t>(type)];
}

std::string_view name_of(PiiType type) {
  std::string_view label = redaction_label(type);
  label.remove_prefix(1);
  label.remove_suffix(1);
  return label;
}

}  // namespace plinth::governance
