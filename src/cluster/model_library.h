// The installed models of a home: models/NAME holds one link into blobs/ for each file, and
// manifest.toml with name, kind, licence and digests.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "protocol/sampling_defaults.h"
#include "store/blob_store.h"

namespace plinth::cluster {

struct InstalledFile {
  std::string path;
  std::string sha256;
  std::uint64_t bytes = 0;
  // Id of sealed content of a project that has its bytes; "" = it lies among the blobs. Its sha256
  // is then of the file as it was first sealed: a name for what is in it, and no guess's proof.
  std::string content = {};
};

struct InstalledModel {
  std::string name;
  std::string title;
  std::string kind;
  std::string license;
  std::int64_t pulled_unix_s = 0;
  std::vector<InstalledFile> files = {};
  protocol::SamplingDefaults sampling = {};
  // Of an adapter: the installed model that it is over, and that model's content() when it was
  // installed. Both are empty for a model of its own.
  std::string base = {}, base_content = {};
  std::uint64_t bytes() const;
  // The file whose bytes are sealed content; null = they all lie in the open.
  const InstalledFile* sealed() const;
  // A digest of its files' paths and digests: what is installed anew from the same files has it
  // too.
  std::string content() const;
};

// Letters, digits and "-_.:" not in front: it becomes a folder's name and a client's model id.
bool valid_model_name(std::string_view name);

inline constexpr char kManifestName[] = "manifest.toml";
std::string manifest_text(const InstalledModel& model);
// NotFound where there is none; DataLoss names what is wrong in it.
absl::StatusOr<InstalledModel> read_manifest(const std::string& path);
// The same of its text; `path` is for errors.
absl::StatusOr<InstalledModel> parse_manifest(std::string_view text, const std::string& path);

// Which installation of a model is there: it differs after every install().
struct InstallStamp {
  std::uint64_t inode = 0;
  std::int64_t written_ns = 0;  // since 1970
  bool operator==(const InstallStamp&) const = default;
};

// What a model's own files say of it.
struct ModelFacts {
  std::string kind;                     // "chat" or "embeddings"; "" where that cannot be told
  protocol::SamplingDefaults sampling;  // unchecked
};
// Of what a worker would open: a .gguf file, or a folder.
using FactsOf = std::function<ModelFacts(const std::string& path)>;

// Safe with any number of processes on one home.
class ModelLibrary {
 public:
  static absl::StatusOr<ModelLibrary> open(const std::string& home);
  std::vector<InstalledModel> list() const;  // by name
  absl::StatusOr<InstalledModel> find(const std::string& name) const;
  // Costs one look at the file system. Nothing where find() would say NotFound.
  std::optional<InstallStamp> stamp(const std::string& name) const;
  // What a worker opens: the .gguf file (the first of a split set), else the folder.
  std::string open_path(const InstalledModel& model) const;
  // Makes the model visible at once and whole; its blobs are all there. Replaces an older one.
  // The kind is what `facts_of` makes of it, else the model's own; of the sampling defaults the
  // model's own come first. Returns what was installed.
  // InvalidArgument for a malformed name.
  absl::StatusOr<InstalledModel> install(InstalledModel model,
                                         const FactsOf& facts_of = nullptr) const;
  // Removes the model, and the blobs that no other model uses. Sealed content is its owner's to
  // remove.
  absl::Status remove(const std::string& name) const;
  // Reads every byte that lies among the blobs. DataLoss names each file whose digest differs or
  // that is gone.
  absl::Status verify(const InstalledModel& model,
                      const std::function<void(std::uint64_t)>& progress) const;
  // Where the file of that path is, under a name that is its content's; "" where it has none.
  std::string blob_path(const InstalledModel& model, std::string_view path) const;
  const store::BlobStore& blobs() const { return blobs_; }
  // Makes a small file a blob, for a model that is about to be installed. Returns its digest.
  absl::StatusOr<std::string> add_blob(std::string_view bytes) const;

 private:
  ModelLibrary(std::string folder, store::BlobStore blobs)
      : folder_(std::move(folder)), blobs_(std::move(blobs)) {}
  std::string folder_;
  store::BlobStore blobs_;
};

}  // namespace plinth::cluster
