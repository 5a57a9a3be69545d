#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/escaping.h"
#include "base/file.h"
#include "governance/sealed_file.h"
#include "governance/vault/file_format.h"

namespace plinth::governance {

namespace {

absl::StatusOr<std::string> read_at(int fd, std::uint64_t at, std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    const auto got = ::pread(fd, bytes.data() + have, count - have, static_cast<off_t>(at + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::errno_status(errno, "[vault] read");
    if (got == 0) return base::data_loss("[vault] a sealed file ends too early");
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

absl::StatusOr<base::UniqueFd> open_file(const std::string& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return base::errno_status(errno, path);
  return fd;
}

}  // namespace

struct SealedFileReader::Impl {
  explicit Impl(const KeyBytes& key_) : key(key_) {}

  absl::Status read_chunk(std::uint32_t number, std::string& out) const {
    const bool is_last = number + 1 == shape.chunks;
    const std::size_t bytes =
        is_last ? shape.plain_bytes - std::uint64_t{number} * kChunkBytes : kChunkBytes;
    ASSIGN_OR_RETURN(const auto sealed,
                     read_at(fd.get(), kFileHeadBytes + std::uint64_t{number} * kSealedChunkBytes,
                             bytes + kTagBytes));
    Aead aead(key);
    return aead.open(chunk_nonce(number, is_last), bound, sealed, out);
  }

  const KeyBytes key;
  base::UniqueFd fd;
  FileShape shape;
  std::string bound;
};

SealedFileReader::SealedFileReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SealedFileReader::SealedFileReader(SealedFileReader&&) noexcept = default;
SealedFileReader::~SealedFileReader() = default;

absl::StatusOr<SealedFileReader> SealedFileReader::open(const std::string& path, const DataKey& key,
                                                        const SealedFor& place) {
  ASSIGN_OR_RETURN(auto fd, open_file(path));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return base::errno_status(errno, path);
  ASSIGN_OR_RETURN(const auto shape, file_shape(static_cast<std::uint64_t>(info.st_size)));
  ASSIGN_OR_RETURN(const auto bytes, read_at(fd.get(), 0, kFileHeadBytes));
  ASSIGN_OR_RETURN(const auto head, parse_file_head(bytes));
  auto impl = std::make_unique<Impl>(derive_key(*key.bytes, head.salt, kFilePurpose));
  impl->fd = std::move(fd);
  impl->shape = shape;
  impl->bound = bytes + bound_bytes(place);
  std::string last;
  RETURN_IF_ERROR(impl->read_chunk(shape.chunks - 1, last));
  wipe(last);
  return SealedFileReader(std::move(impl));
}

std::uint64_t SealedFileReader::plain_bytes() const { return impl_->shape.plain_bytes; }

absl::StatusOr<std::string> SealedFileReader::read(std::uint64_t at, std::size_t count) const {
  const auto end = impl_->shape.plain_bytes;
  if (at >= end || count == 0) return std::string();
  count = static_cast<std::size_t>(std::min<std::uint64_t>(count, end - at));
  std::string out;
  for (auto number = at / kChunkBytes; number <= (at + count - 1) / kChunkBytes; ++number) {
    RETURN_IF_ERROR(impl_->read_chunk(static_cast<std::uint32_t>(number), out));
  }
  return out.substr(at % kChunkBytes, count);
}

absl::StatusOr<std::string> sealed_file_key(const std::string& path) {
  ASSIGN_OR_RETURN(const auto fd, open_file(path));
  ASSIGN_OR_RETURN(const auto bytes, read_at(fd.get(), 0, kFileHeadBytes));
  ASSIGN_OR_RETURN(const auto head, parse_file_head(bytes));
  return std::string(absl::BytesToHexString(head.key_id));
}

}  // namespace plinth::governance
