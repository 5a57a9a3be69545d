#include "api/auth/sign_in_page.h"

#include <fmt/format.h>

#include "absl/strings/escaping.h"
#include "api/auth/authenticate.h"
#include "api/auth/cookies.h"
#include "api/auth/same_site.h"
#include "api/query.h"
#include "base/html.h"
#include "governance/sign_in.h"
#include "store/sha256.h"

namespace plinth::api {

namespace {

constexpr std::string_view kStyle =
    ":root{color-scheme:light dark}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;"
    "font:16px/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}"
    "main{width:min(22rem,calc(100vw - 3rem));padding:2rem 0}"
    "h1{font-size:1.5rem;margin:0 0 1.5rem}"
    "label{display:block;margin:0 0 1rem}"
    "input{display:block;width:100%;box-sizing:border-box;margin-top:.25rem;padding:.6rem;"
    "font:inherit;border:1px solid GrayText;border-radius:.4rem;background:Field;color:FieldText}"
    "button,.button{display:block;width:100%;box-sizing:border-box;padding:.65rem;font:inherit;"
    "text-align:center;text-decoration:none;border:1px solid #1f5fbf;border-radius:.4rem;"
    "background:#1f5fbf;color:#fff;cursor:pointer}"
    ".button{background:transparent;color:inherit;border-color:GrayText}"
    "button:focus-visible,.button:focus-visible,input:focus-visible{outline:3px solid #6ea0ec;"
    "outline-offset:2px}"
    ".or{margin:1.25rem 0;text-align:center;color:GrayText}"
    ".error{margin:0 0 1.25rem;padding:.75rem;border-left:4px solid #c62828;"
    "background:rgba(198,40,40,.12)}";

std::string_view words_for(std::string_view error) {
  if (error == "password") return "The e-mail address or the password is not right.";
  if (error == "wait") return "Too many attempts have failed. Wait a minute and try again.";
  if (error == "provider") return "The sign-in did not come to an end. Please try again.";
  if (error == "unknown")
    return "You are not known here. Ask an administrator of this service for an invite.";
  if (error == "unavailable") return "Signing in does not work at the moment. Try again later.";
  return "";
}

std::string form_of(const SignInPage& page) {
  std::string html;
  if (!page.provider.empty()) {
    html += fmt::format(
        "<a class=\"button\" href=\"/auth/oidc/start{}\">Sign in with {}</a>\n"
        "<p class=\"or\">or</p>\n",
        page.return_to.empty() ? "" : "?return_to=" + percent_encoded(page.return_to),
        base::escape_html(page.provider));
  }
  html += "<form method=\"post\" action=\"/auth/sign_in\">\n";
  if (!page.return_to.empty()) {
    html += fmt::format("<input type=\"hidden\" name=\"return_to\" value=\"{}\">\n",
                        base::escape_html(page.return_to));
  }
  html +=
      "<label>E-mail address<input name=\"name\" type=\"email\" autocomplete=\"username\" required"
      "></label>\n"
      "<label>Password<input name=\"password\" type=\"password\" autocomplete=\"current-password\""
      " required></label>\n<button>Sign in</button>\n</form>\n";
  return html;
}

absl::StatusOr<base::json::object> read_page_query(const net::HttpRequest& request) {
  static const Schema schema =
      object("", {optional("error", string("")), optional("return_to", string(""))}, "");
  return parse_query(request.query, schema, {Direction::request, true});
}

void send_page(const ExchangePtr& exchange, const std::string& signed_in_as) {
  SignInPage page;
  const auto* sign_in = exchange->services().governance.sign_in();
  if (sign_in != nullptr && sign_in->has_provider()) page.provider = sign_in->provider_name();
  page.signed_in_as = signed_in_as;
  if (const auto query = read_page_query(exchange->request()); query.ok()) {
    const auto text = [&](std::string_view name) -> std::string {
      const auto* value = query->if_contains(name);
      return value == nullptr ? "" : std::string(value->get_string());
    };
    page.error = text("error");
    if (is_local_path(text("return_to"))) page.return_to = text("return_to");
  }
  exchange->set_headers({{"cache-control", "no-store"},
                         {"content-security-policy", sign_in_content_policy()},
                         {"x-content-type-options", "nosniff"},
                         {"referrer-policy", "same-origin"}});
  exchange->send(200, "text/html; charset=utf-8", sign_in_html(page));
}

std::string name_of(const Exchange& exchange) {
  const auto& who = exchange.principal;
  const auto person =
      exchange.services().governance.people().users().find(who.organization, who.user);
  if (!person.ok()) return who.user;
  return person->email.value_or(person->name.empty() ? person->id : person->name);
}

}  // namespace

std::string sign_in_html(const SignInPage& page) {
  const auto words = words_for(page.error);
  const std::string error =
      words.empty() ? "" : fmt::format("<p class=\"error\" role=\"alert\">{}</p>\n", words);
  const std::string content =
      page.signed_in_as.empty()
          ? form_of(page)
          : fmt::format(
                "<p>You are signed in as <b>{}</b>.</p>\n"
                "<form method=\"post\" action=\"/auth/sign_out\"><button>Sign "
                "out</button></form>\n",
                base::escape_html(page.signed_in_as));
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<title>Sign in - Plinth</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n"
      "<h1>{}</h1>\n{}{}</main>\n</body>\n</html>\n",
      kStyle, page.signed_in_as.empty() ? "Sign in" : "Plinth", error, content);
}

std::string sign_in_content_policy() {
  static const std::string policy = [] {
    store::Sha256 digest;
    digest.update(kStyle);
    return fmt::format(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'",
        absl::Base64Escape(absl::HexStringToBytes(digest.hex())));
  }();
  return policy;
}

void show_sign_in_page(const ExchangePtr& exchange) {
  const auto& request = exchange->request();
  const auto cookie =
      cookie_value(request.header("cookie"), session_cookie_name(exchange->services()));
  if (!cookie) return send_page(exchange, "");
  authenticate(exchange, [exchange](const absl::Status& status) {
    const bool person = status.ok() && !exchange->principal.user.empty();
    send_page(exchange, person ? name_of(*exchange) : "");
  });
}

}  // namespace plinth::api
