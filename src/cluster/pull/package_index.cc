#include "cluster/pull/package_index.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <regex>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "store/sha256.h"

namespace plinth::cluster {

namespace {

// PEP 503: runs of -, _ and . are one "-", lower case.
std::string normalised(const std::string& name) {
  std::string out;
  for (unsigned char c : name) {
    const bool separator = c == '-' || c == '_' || c == '.';
    if (separator && !out.empty() && out.back() == '-') continue;
    out += separator ? '-' : static_cast<char>(std::tolower(c));
  }
  return out;
}

// 2 for the wheel, 1 for the source archive, 0 for another package or version.
int rank(const std::string& file, const std::string& package, const std::string& version) {
  const auto matches = [&](std::string_view stem) {
    const auto dash = stem.find('-');
    if (dash == std::string_view::npos) return false;
    const auto rest = stem.substr(dash + 1);
    const bool same_version =
        rest == version || (rest.starts_with(version) && rest[version.size()] == '-');
    return same_version && normalised(std::string(stem.substr(0, dash))) == normalised(package);
  };
  const std::string_view name = file;
  if (name.ends_with(".whl")) return matches(name.substr(0, name.size() - 4)) ? 2 : 0;
  if (name.ends_with(".tar.gz")) {
    // A source archive may spell its package with dashes: the version is after the last one.
    const auto stem = name.substr(0, name.size() - 7);
    const auto dash = stem.rfind('-');
    return dash != std::string_view::npos && stem.substr(dash + 1) == version &&
                   normalised(std::string(stem.substr(0, dash))) == normalised(package)
               ? 1
               : 0;
  }
  return 0;
}

std::string resolve(const std::string& url, const std::string& page_url) {
  if (url.find("://") != std::string::npos) return url;
  const auto host_end = page_url.find('/', page_url.find("://") + 3);
  if (url.starts_with("/")) return page_url.substr(0, host_end) + url;
  std::string base = page_url.substr(0, page_url.rfind('/') + 1);
  std::string_view rest = url;
  while (rest.starts_with("../")) {
    rest.remove_prefix(3);
    base.resize(base.rfind('/', base.size() - 2) + 1);
  }
  return base + std::string(rest);
}

struct Link {
  std::string file, url, sha256;
  std::uint64_t bytes = 0;
};

absl::StatusOr<std::vector<Link>> json_links(std::string_view page) {
  ASSIGN_OR_RETURN(const auto document, base::parse_json(page));
  std::vector<Link> links;
  const auto* object = document.if_object();
  const auto* files = object == nullptr ? nullptr : object->if_contains("files");
  if (files == nullptr || !files->is_array()) return base::data_loss("no \"files\" array");
  for (const auto& entry : files->get_array()) {
    const auto* file = entry.if_object();
    if (file == nullptr) continue;
    const auto text = [](const base::json::object& from, const char* name) -> std::string {
      const auto* value = from.if_contains(name);
      return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
    };
    Link link{text(*file, "filename"), text(*file, "url"), "", 0};
    const auto* hashes = file->if_contains("hashes");
    if (hashes != nullptr && hashes->is_object())
      link.sha256 = text(hashes->get_object(), "sha256");
    const auto* size = file->if_contains("size");
    if (size != nullptr && size->is_int64() && size->get_int64() > 0) {
      link.bytes = static_cast<std::uint64_t>(size->get_int64());
    }
    links.push_back(std::move(link));
  }
  return links;
}

std::vector<Link> html_links(std::string_view page) {
  static const std::regex anchor(
      R"re(<a[^>]*href="([^"#]+)(#sha256=([0-9a-f]{64}))?[^"]*"[^>]*>([^<]+)</a>)re");
  std::vector<Link> links;
  for (std::cregex_iterator it(page.data(), page.data() + page.size(), anchor), end; it != end;
       ++it) {
    links.push_back({(*it)[4], (*it)[1], (*it)[3], 0});
  }
  return links;
}

}  // namespace

absl::StatusOr<PackageArchive> parse_package_page(std::string_view page, bool is_json,
                                                  const std::string& page_url,
                                                  const std::string& package,
                                                  const std::string& version) {
  std::vector<Link> links;
  if (is_json) {
    auto parsed = json_links(page);
    if (!parsed.ok()) return base::annotate(parsed.status(), page_url);
    links = *std::move(parsed);
  } else {
    links = html_links(page);
  }
  const Link* best = nullptr;
  int best_rank = 0;
  for (const auto& link : links) {
    const int r = rank(link.file, package, version);
    if (r > best_rank) {
      best_rank = r;
      best = &link;
    }
  }
  if (best == nullptr) {
    return base::not_found(fmt::format("{}: no archive of {}=={}", page_url, package, version));
  }
  return PackageArchive{resolve(best->url, page_url),
                        store::is_sha256_hex(best->sha256) ? best->sha256 : "", best->bytes};
}

absl::StatusOr<PackageArchive> find_package(net::HttpClient& http, const std::string& index_url,
                                            const std::string& package,
                                            const std::string& version) {
  std::string page_url = index_url;
  while (page_url.ends_with("/")) page_url.pop_back();
  page_url += "/" + normalised(package) + "/";
  ASSIGN_OR_RETURN(const auto response,
                   http.get(page_url, {"Accept: application/vnd.pypi.simple.v1+json, "
                                       "text/html;q=0.5"}));
  const auto type = response.headers.find("content-type");
  const bool is_json =
      type != response.headers.end() && type->second.find("json") != std::string::npos;
  return parse_package_page(response.body, is_json, page_url, package, version);
}

absl::Status extract_member(const std::string& archive_path, const std::string& member,
                            const std::string& target, std::uint64_t bytes_max) {
  const std::unique_ptr<archive, int (*)(archive*)> reader(archive_read_new(), archive_read_free);
  archive_read_support_format_zip(reader.get());
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  const auto failed = [&](const char* what) {
    const char* why = archive_error_string(reader.get());
    return base::data_loss(
        fmt::format("{}: {}: {}", archive_path, what, why == nullptr ? "unreadable" : why));
  };
  constexpr std::size_t kReadBytes = 1 << 18;
  if (archive_read_open_filename(reader.get(), archive_path.c_str(), kReadBytes) != ARCHIVE_OK) {
    return failed("open");
  }
  archive_entry* entry = nullptr;
  int code = ARCHIVE_OK;
  while ((code = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK) {
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr || member != name) continue;
    base::UniqueFd out(::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!out.valid()) return base::errno_status(errno, target);
    std::string buffer(kReadBytes, '\0');
    std::uint64_t total = 0;
    while (true) {
      const auto n = archive_read_data(reader.get(), buffer.data(), buffer.size());
      if (n < 0) return failed(member.c_str());
      if (n == 0) return absl::OkStatus();
      total += static_cast<std::uint64_t>(n);
      if (total > bytes_max) return base::data_loss(member + ": longer than the catalog says");
      for (ssize_t done = 0; done < n;) {
        const auto w = ::write(out.get(), buffer.data() + done, static_cast<std::size_t>(n - done));
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return base::errno_status(errno, target);
        done += w;
      }
    }
  }
  if (code != ARCHIVE_EOF) return failed("read");
  return base::not_found(fmt::format("{}: no member {}", archive_path, member));
}

}  // namespace plinth::cluster
