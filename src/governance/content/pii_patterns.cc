#include "governance/content/pii_patterns.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>

#include "governance/content_limits.h"

namespace plinth::governance {

namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }
bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool alpha(char c) { return upper(c) || (c >= 'a' && c <= 'z'); }
bool alphanumeric(char c) { return digit(c) || alpha(c); }

// Local parts as people have them, not all that RFC 5322 allows.
std::size_t match_email(PiiReader& r, std::size_t at) {
  const auto local = [](char c) {
    return alphanumeric(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-';
  };
  if (!alphanumeric(r.at(at)) && r.at(at) != '_') return 0;
  if (alphanumeric(r.before(at)) || r.before(at) == '_') return 0;
  std::size_t i = at;
  while (i - at < kEmailLocalBytesMax && local(r.at(i))) ++i;
  if (r.at(i) != '@' || r.before(i) == '.') return 0;
  const std::size_t domain_begin = ++i;
  std::string domain;
  for (; alphanumeric(r.at(i)) || r.at(i) == '.' || r.at(i) == '-'; ++i) {
    if (domain.size() == kEmailDomainBytesMax) return 0;
    domain += r.at(i);
  }
  // A full stop ends the sentence, and "bob@example.com.5" is an address and a number.
  while (!domain.empty()) {
    const auto dot = domain.find_last_of('.');
    if (dot == std::string::npos || dot == 0 || domain[0] == '-') return 0;
    const std::string_view top = std::string_view(domain).substr(dot + 1);
    if (domain[dot - 1] != '.' && top.size() >= 2 && std::all_of(top.begin(), top.end(), alpha)) {
      return domain_begin + domain.size() - at;
    }
    domain.resize(domain.back() == '-' ? domain.size() - 1 : dot);
  }
  return 0;
}

// Issuers' ranges and the lengths they use. Without them one number in ten passes for a card.
bool card_issued(std::span<const unsigned char> digits) {
  const auto leading = [&](std::size_t n) {
    int value = 0;
    for (std::size_t i = 0; i < n; ++i) value = value * 10 + digits[i];
    return value;
  };
  const auto between = [](int value, int low, int high) { return value >= low && value <= high; };
  const std::size_t n = digits.size();
  const int two = leading(2);
  const int four = leading(4);
  if (digits[0] == 4) return n == 13 || n == 16 || n == 19;
  if (between(two, 51, 55) || between(four, 2221, 2720)) return n == 16;
  if (two == 34 || two == 37) return n == 15;
  if (four == 6011 || two == 65 || between(leading(3), 644, 649)) return n >= 16;
  if (between(four, 3528, 3589) || two == 62) return n >= 16;
  return (between(leading(3), 300, 305) || two == 36 || two == 38) && n >= 14;
}

// 13 to 19 digits, in one piece or in groups as they are embossed: 4 first, then 2 to 7.
std::size_t match_card(PiiReader& r, std::size_t at) {
  if (!digit(r.at(at)) || alphanumeric(r.before(at))) return 0;
  std::array<unsigned char, 19> digits{};
  std::size_t n = 0;
  std::size_t group = 0;
  std::size_t best = 0;
  char separator = 0;
  for (std::size_t i = at;; ++i) {
    const char c = r.at(i);
    if (digit(c)) {
      if (n == digits.size()) return best;
      digits[n++] = static_cast<unsigned char>(c - '0');
      ++group;
      continue;
    }
    const std::span<const unsigned char> read(digits.data(), n);
    if (n >= 13 && !alpha(c) && card_issued(read) && luhn_valid(read)) best = i - at;
    const bool grouped = separator == 0 ? group == 4 : group >= 2 && group <= 7 && c == separator;
    if ((c != ' ' && c != '-') || !grouped || n == digits.size() || !digit(r.at(i + 1))) {
      return best;
    }
    separator = c;
    group = 0;
  }
}

struct IbanLength {
  std::string_view country;
  std::size_t chars;
};
// The SWIFT registry of IBAN formats, those in wide use.
constexpr IbanLength kIbanLengths[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22},
    {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FO", 18}, {"FR", 27},
    {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HR", 21}, {"HU", 28},
    {"IE", 22}, {"IL", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28},
    {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19},
    {"MT", 31}, {"MU", 30}, {"NL", 18}, {"NO", 15}, {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25},
    {"QA", 29}, {"RO", 24}, {"RS", 22}, {"SA", 24}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27},
    {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"XK", 20}};

std::size_t iban_length(std::string_view country) {
  const auto found = std::find_if(std::begin(kIbanLengths), std::end(kIbanLengths),
                                  [&](const auto& known) { return known.country == country; });
  return found == std::end(kIbanLengths) ? 0 : found->chars;
}

std::size_t match_iban(PiiReader& r, std::size_t at) {
  if (!upper(r.at(at)) || alphanumeric(r.before(at)) || !upper(r.at(at + 1))) return 0;
  const std::size_t length = iban_length(std::string{r.at(at), r.at(at + 1)});
  if (length == 0) return 0;
  std::string iban;
  std::size_t i = at;
  for (; iban.size() < length; ++i) {
    const char c = r.at(i);
    if (c == ' ' && iban.size() % 4 == 0 && alphanumeric(r.at(i + 1))) continue;
    const bool in_place = iban.size() < 2 ? upper(c) : iban.size() < 4 ? digit(c) : true;
    if (!in_place || (!digit(c) && !upper(c))) return 0;
    iban += c;
  }
  return !alphanumeric(r.at(i)) && iban_valid(iban) ? i - at : 0;
}

// `shape` with # for a digit; how many characters it takes, or 0.
std::size_t match_shape(PiiReader& r, std::size_t at, std::string_view shape) {
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const char c = r.at(at + i);
    if (shape[i] == '#' ? !digit(c) : c != shape[i]) return 0;
  }
  const char next = r.at(at + shape.size());
  if (alphanumeric(next) || (next == '-' && digit(r.at(at + shape.size() + 1)))) return 0;
  return shape.size();
}

// What the Social Security Administration never issued is refused. Without separators nine digits
// are any number, so those are not taken.
std::size_t match_ssn(PiiReader& r, std::size_t at) {
  if (!digit(r.at(at)) || alphanumeric(r.before(at)) || r.before(at) == '-') return 0;
  if (match_shape(r, at, "###-##-####") == 0 && match_shape(r, at, "### ## ####") == 0) return 0;
  const auto number = [&](std::size_t from, std::size_t n) {
    int value = 0;
    for (std::size_t i = 0; i < n; ++i) value = value * 10 + (r.at(at + from + i) - '0');
    return value;
  };
  const int area = number(0, 3);
  const bool issued = area != 0 && area != 666 && area < 900;
  return issued && number(4, 2) != 0 && number(7, 4) != 0 ? 11 : 0;
}

// E.164: + and 8 to 15 digits that may stand in groups.
std::size_t match_international_phone(PiiReader& r, std::size_t at) {
  const auto separates = [](char c) {
    return c == ' ' || c == '-' || c == '.' || c == '(' || c == ')';
  };
  if (alphanumeric(r.before(at)) || r.before(at) == '+') return 0;
  if (!digit(r.at(at + 1)) || r.at(at + 1) == '0') return 0;
  std::size_t n = 0;
  std::size_t best = 0;
  for (std::size_t i = at + 1;;) {
    while (digit(r.at(i)) && n <= 15) ++n, ++i;
    if (n > 15 || alpha(r.at(i))) return best;
    if (n >= 8) best = i - at;
    std::size_t gap = 0;
    while (gap < 2 && separates(r.at(i + gap))) ++gap;
    if (gap == 0 || !digit(r.at(i + gap))) return best;
    i += gap;
  }
}

// The North American plan as it is written with separators: area and exchange begin with 2 to 9.
std::size_t match_american_phone(PiiReader& r, std::size_t at) {
  if (alphanumeric(r.before(at)) || r.before(at) == '-' || r.before(at) == '.') return 0;
  struct Shape {
    std::string_view text;
    std::size_t area, exchange;
  };
  constexpr std::array kShapes = {Shape{"(###) ###-####", 1, 6}, Shape{"(###)###-####", 1, 5},
                                  Shape{"###-###-####", 0, 4}, Shape{"###.###.####", 0, 4},
                                  Shape{"### ### ####", 0, 4}};
  for (const Shape& shape : kShapes) {
    const std::size_t length = match_shape(r, at, shape.text);
    if (length > 0 && r.at(at + shape.area) >= '2' && r.at(at + shape.exchange) >= '2') {
      return length;
    }
  }
  return 0;
}

// Addresses of one host: not the unspecified one, loopback and broadcast.
std::size_t match_ipv4(PiiReader& r, std::size_t at) {
  if (alphanumeric(r.before(at)) || r.before(at) == '.') return 0;
  std::array<int, 4> octets{};
  std::size_t i = at;
  for (std::size_t n = 0; n < octets.size(); ++n) {
    if (n > 0 && r.at(i++) != '.') return 0;
    const std::size_t begin = i;
    for (; digit(r.at(i)); ++i) {
      if (i - begin == 3) return 0;
      octets[n] = octets[n] * 10 + (r.at(i) - '0');
    }
    if (i == begin || octets[n] > 255 || (i - begin > 1 && r.at(begin) == '0')) return 0;
  }
  const char next = r.at(i);
  if (alphanumeric(next) || (next == '.' && digit(r.at(i + 1)))) return 0;
  return octets[0] == 0 || octets[0] == 127 || octets[0] == 255 ? 0 : i - at;
}

}  // namespace

bool luhn_valid(std::span<const unsigned char> digits) {
  int sum = 0;
  bool doubled = false;
  for (std::size_t i = digits.size(); i-- > 0; doubled = !doubled) {
    const int value = doubled ? 2 * digits[i] : digits[i];
    sum += value > 9 ? value - 9 : value;
  }
  return !digits.empty() && sum % 10 == 0;
}

bool iban_valid(std::string_view iban) {
  if (iban.size() < 5 || iban.size() != iban_length(iban.substr(0, 2))) return false;
  int remainder = 0;
  for (std::size_t i = 0; i < iban.size(); ++i) {
    const char c = iban[(i + 4) % iban.size()];
    if (digit(c)) {
      remainder = (remainder * 10 + (c - '0')) % 97;
    } else if (upper(c)) {
      remainder = (remainder * 100 + (c - 'A' + 10)) % 97;
    } else {
      return false;
    }
  }
  return remainder == 1;
}

std::optional<PiiMatch> match_pii(PiiReader& reader, std::size_t at) {
  const char first = reader.at(at);
  const auto as = [](PiiType type, std::size_t bytes) { return PiiMatch{type, bytes}; };
  if (alphanumeric(first) || first == '_') {
    if (const auto n = match_email(reader, at)) return as(PiiType::email, n);
  }
  if (upper(first)) {
    if (const auto n = match_iban(reader, at)) return as(PiiType::iban, n);
  }
  if (first == '+') {
    if (const auto n = match_international_phone(reader, at)) return as(PiiType::phone, n);
  }
  if (digit(first)) {
    if (const auto n = match_card(reader, at)) return as(PiiType::credit_card, n);
    if (const auto n = match_ssn(reader, at)) return as(PiiType::us_ssn, n);
    if (const auto n = match_ipv4(reader, at)) return as(PiiType::ipv4, n);
  }
  if (digit(first) || first == '(') {
    if (const auto n = match_american_phone(reader, at)) return as(PiiType::phone, n);
  }
  return std::nullopt;
}

}  // namespace plinth::governance
