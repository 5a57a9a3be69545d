// Python package index (PEP 503 and PEP 691): which archive holds PACKAGE==VERSION, and one member
// of such an archive.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "net/http_client.h"

namespace plinth::cluster {

struct PackageArchive {
  std::string url;
  std::string sha256;
  std::uint64_t bytes = 0;  // 0 = not stated
};

// Prefers a pure wheel over a source archive.
absl::StatusOr<PackageArchive> find_package(net::HttpClient& http, const std::string& index_url,
                                            const std::string& package, const std::string& version);

// `page` as JSON (PEP 691) or HTML (PEP 503); URLs are resolved against page_url.
absl::StatusOr<PackageArchive> parse_package_page(std::string_view page, bool is_json,
                                                  const std::string& page_url,
                                                  const std::string& package,
                                                  const std::string& version);

// Streams the member out of a zip or tar archive. NotFound where there is none.
absl::Status extract_member(const std::string& archive, const std::string& member,
                            const std::string& target, std::uint64_t bytes_max);

}  // namespace plinth::cluster
