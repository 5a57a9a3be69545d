// GET /sign-in: the page on which people sign in and out, without a script.
#pragma once

#include <string>
#include <string_view>

#include "api/exchange.h"

namespace plinth::api {

struct SignInPage {
  std::string provider;      // the name of the identity provider; "" = none
  std::string signed_in_as;  // "" = nobody
  std::string error;         // a word of sign_in_errors; others mean nothing
  std::string return_to;     // a path of this service
};
std::string sign_in_html(const SignInPage& page);
// Allows nothing but the page's own style and its forms.
std::string sign_in_content_policy();

void show_sign_in_page(const ExchangePtr& exchange);

}  // namespace plinth::api
