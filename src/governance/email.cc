#include "governance/email.h"

#include <algorithm>

#include "governance/limits.h"

namespace plinth::governance {

namespace {

bool alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_local_part(std::string_view text) {
  return !text.empty() && text.size() <= kEmailLocalBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return alphanumeric(c) ||
                  std::string_view(".!#$%&'*+/=?^_`{|}~-").find(c) != std::string_view::npos;
         });
}

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= kDomainLabelBytesMax && text.front() != '-' &&
         text.back() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) { return alphanumeric(c) || c == '-'; });
}

bool is_domain(std::string_view text) {
  for (;;) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text = text.substr(dot + 1);
  }
}

}  // namespace

absl::Status check_email(std::string_view email) {
  const auto at = email.rfind('@');
  if (email.size() <= kEmailBytesMax && at != std::string_view::npos &&
      is_local_part(email.substr(0, at)) && is_domain(email.substr(at + 1))) {
    return absl::OkStatus();
  }
  // The text is not repeated: it may be anything.
  return base::invalid_argument("Invalid 'email': it is no plain address, as name@example.com is.");
}

}  // namespace plinth::governance
