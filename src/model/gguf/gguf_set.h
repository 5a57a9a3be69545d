// A GGUF model on disk: one file, or the shards NAME-00001-of-0000N.gguf that gguf-split writes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "model/gguf/gguf_reader.h"

namespace plinth::model {

// Immutable; the table's views live as long as it does.
struct GgufSet {
  std::vector<base::MappedFile> files;
  Gguf table;  // the first file's metadata and every file's tensors
};

// path: the file, or the first shard. Errors name the file: a shard that is missing, belongs to
// another set, or is not the first; tensors that two shards hold or none.
absl::StatusOr<std::unique_ptr<GgufSet>> open_gguf(const std::string& path);

}  // namespace plinth::model
