// Where the packed matrices of one model get their memory, and, where a file keeps those of an
// earlier start, their contents.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "tensor/dtype.h"
#include "tensor/huge_memory.h"
#include "tensor/packed_file.h"

namespace plinth::tensor {

// One thread at a time.
class PackedStore {
 public:
  PackedStore() = default;
  explicit PackedStore(std::shared_ptr<PackedFile> file) : file_(std::move(file)) {}

  struct Taken {
    std::span<std::uint8_t> bytes;  // zero, or the packed weights
    bool packed = false;
  };
  // The next matrix's memory, aligned to a cache line. `source` tells what is packed into it: the
  // file's bytes are taken where it has the same matrix in the same place. ResourceExhausted.
  absl::StatusOr<Taken> take(std::size_t bytes, const SourceDigest& source, base::ThreadPool* pool);
  // All matrices are packed: brings the file up to date.
  absl::Status keep();
  // Matrices that the file had.
  std::size_t found() const { return found_; }

 private:
  HugeMemory memory_;
  std::shared_ptr<PackedFile> file_;
  std::vector<PackedEntry> entries_;
  std::vector<std::span<const std::uint8_t>> weights_;
  std::size_t found_ = 0;
};

// Of stored matrices that are packed together in a form that `form` names: their types, shapes and
// samples of their bytes, so that it costs a few pages of each file and not all of them.
SourceDigest digest_of(std::span<const MatrixView> parts, std::string_view form);

}  // namespace plinth::tensor
