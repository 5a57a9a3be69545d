// Whether a request comes from a page of this service, or from none: what keeps another page from
// acting with the cookie of whoever looks at it.
#pragma once

#include "base/status.h"
#include "net/http_server.h"

namespace plinth::api {

// OK for what only reads. Otherwise what the browser says of where the request comes from decides:
// Sec-Fetch-Site, else Origin, which must be `public_url`'s, or name the Host that was asked. Who
// sends neither is no browser of this century, and shows that it is none by any X-Plinth-CSRF
// header, which a page of another origin cannot add. PermissionDenied otherwise.
absl::Status check_same_site(const net::HttpRequest& request, const std::string& public_url);

// "/path?query" of this service, to go to after a sign-in: nothing that a browser would take for
// another host.
bool is_local_path(std::string_view text);

}  // namespace plinth::api
