#include "tensor/packed_store.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"

namespace plinth::tensor {

namespace {

// Of one matrix, evenly spread from its first byte to its last. Two models that share a shape
// differ in nearly every block of it.
constexpr std::size_t kSamples = 16;
constexpr std::size_t kSampleBytes = 256;

}  // namespace

absl::StatusOr<PackedStore::Taken> PackedStore::take(std::size_t bytes, const SourceDigest& source,
                                                     base::ThreadPool* pool) {
  Taken taken;
  ASSIGN_OR_RETURN(taken.bytes, memory_.take(bytes));
  if (file_ == nullptr) return taken;
  const PackedEntry entry{taken.bytes.size(), source};
  const auto index = entries_.size();
  entries_.push_back(entry);
  weights_.emplace_back(taken.bytes);
  if (index >= file_->entries().size() || file_->entries()[index] != entry) return taken;
  const auto read = file_->read(index, taken.bytes, pool);
  if (read.ok()) {
    taken.packed = true;
    ++found_;
    return taken;
  }
  LOG(warn, "{}; packing again", base::message(read));
  std::fill(taken.bytes.begin(), taken.bytes.end(), std::uint8_t{0});
  return taken;
}

absl::Status PackedStore::keep() {
  if (file_ == nullptr || (found_ == entries_.size() && found_ == file_->entries().size())) {
    return absl::OkStatus();
  }
  return file_->write(entries_, weights_);
}

SourceDigest digest_of(std::span<const MatrixView> parts, std::string_view form) {
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> hash(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  CHECK(hash != nullptr && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1);
  const auto add = [&](const void* data, std::size_t size) {
    CHECK(EVP_DigestUpdate(hash.get(), data, size) == 1);
  };
  add(form.data(), form.size());
  for (const auto& part : parts) {
    const auto shape =
        fmt::format(";{} {} {};", dtype_info(part.dtype).name, part.rows, part.columns);
    add(shape.data(), shape.size());
    const auto size = static_cast<std::size_t>(part.rows) * row_bytes(part.dtype, part.columns);
    const auto length = std::min(size, kSampleBytes);
    for (std::size_t i = 0; i < kSamples; ++i) {
      add(part.data + (size - length) / (kSamples - 1) * i, length);
    }
  }
  SourceDigest digest;
  CHECK(EVP_DigestFinal_ex(hash.get(), digest.data(), nullptr) == 1);
  return digest;
}

}  // namespace plinth::tensor
