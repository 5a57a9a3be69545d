// The weights of a Hugging Face model folder: model.safetensors, or the shards that
// model.safetensors.index.json lists.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "model/safetensors_reader.h"
#include "tensor/dtype.h"

namespace plinth::model {

// Immutable. Views live as long as it does: the files stay mapped.
class SafetensorsModel {
 public:
  // path: the folder, or one .safetensors file. Refused: a shard named outside the folder, a tensor
  // that the index puts where it is not, and one that two shards hold. Errors name the file.
  static absl::StatusOr<std::unique_ptr<SafetensorsModel>> open(const std::string& path);

  // True where `folder` looks like one that open() reads.
  static bool is_model_folder(const std::string& folder);

  const SafetensorsTable& tensors() const { return table_; }
  std::vector<std::span<const std::uint8_t>> mappings() const;
  bool has(std::string_view name) const { return table_.find(name) != table_.end(); }

  // A tensor of exactly this shape. InvalidArgument names the file and the tensor where it is
  // missing, has another shape, or is of a type other than F32, F16 and BF16.
  absl::StatusOr<tensor::MatrixView> matrix(std::string_view name, std::int64_t rows,
                                            std::int64_t columns) const;
  absl::StatusOr<std::vector<float>> vector(std::string_view name, std::int64_t size) const;

 private:
  absl::Status add_file(const std::string& path, std::vector<std::string>* names);
  absl::Status open_sharded(const std::string& folder, const std::string& index_path);
  absl::StatusOr<const SafetensorsTensor*> look_up(std::string_view name,
                                                   const std::vector<std::int64_t>& shape) const;

  std::string path_;  // as opened, for errors
  std::vector<base::MappedFile> files_;
  SafetensorsTable table_;
};

// {tensor: shard's file name} of an index document. InvalidArgument names the tensor and the byte
// offset: repeated tensors, shard names that are paths.
absl::StatusOr<std::map<std::string, std::string>> parse_safetensors_index(std::string_view json);

}  // namespace plinth::model
