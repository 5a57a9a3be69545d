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

absl::Status sealed_anew() {
  return absl::AbortedError("[vault] the file was sealed anew; its key is another now");
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

absl::StatusOr<FileKey> file_key(const std::string& path, const FindDataKey& find,
                                 const SealedFor& place) {
  ASSIGN_OR_RETURN(const auto fd, open_file(path));
  ASSIGN_OR_RETURN(auto bytes, read_at(fd.get(), 0, kFileHeadBytes));
  ASSIGN_OR_RETURN(const auto head, parse_file_head(bytes));
  ASSIGN_OR_RETURN(const auto key,
                   find(std::string(absl::BytesToHexString(base::to_absl(head.key_id)))));
  return FileKey{std::move(bytes),
                 std::make_shared<const KeyBytes>(derive_key(*key.bytes, head.salt, kFilePurpose)),
                 bound_bytes(place)};
}

std::string to_bytes(const FileKey& key) {
  return key.head + std::string(key.bytes->view()) + key.bound_to;
}

absl::StatusOr<FileKey> parse_file_key(std::string_view bytes) {
  const auto bad = [] { return base::invalid_argument("[vault] no key of a sealed file"); };
  if (bytes.size() < kFileHeadBytes + KeyBytes::kSize) return bad();
  const auto head = bytes.substr(0, kFileHeadBytes);
  if (!parse_file_head(head).ok()) return bad();
  ASSIGN_OR_RETURN(const auto key, KeyBytes::of(bytes.substr(kFileHeadBytes, KeyBytes::kSize)));
  return FileKey{std::string(head), std::make_shared<const KeyBytes>(key),
                 std::string(bytes.substr(kFileHeadBytes + KeyBytes::kSize))};
}

SealedFileReader::SealedFileReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SealedFileReader::SealedFileReader(SealedFileReader&&) noexcept = default;
SealedFileReader::~SealedFileReader() = default;

absl::StatusOr<SealedFileReader> SealedFileReader::open(const std::string& path, const DataKey& key,
                                                        const SealedFor& place) {
  ASSIGN_OR_RETURN(const auto own, file_key(
                                       path, [&](const auto&) { return key; }, place));
  return open(path, own);
}

absl::StatusOr<SealedFileReader> SealedFileReader::open(const std::string& path,
                                                        const FileKey& key) {
  ASSIGN_OR_RETURN(auto fd, open_file(path));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return base::errno_status(errno, path);
  ASSIGN_OR_RETURN(const auto shape, file_shape(static_cast<std::uint64_t>(info.st_size)));
  ASSIGN_OR_RETURN(const auto head, read_at(fd.get(), 0, kFileHeadBytes));
  if (head != key.head) {
    // Else nobody knows whether it is this key's.
    RETURN_IF_ERROR(parse_file_head(head).status());
    return sealed_anew();
  }
  auto impl = std::make_unique<Impl>(*key.bytes);
  impl->fd = std::move(fd);
  impl->shape = shape;
  impl->bound = key.head + key.bound_to;
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
  out.reserve(count + 2 * kChunkBytes);
  for (auto number = at / kChunkBytes; number <= (at + count - 1) / kChunkBytes; ++number) {
    RETURN_IF_ERROR(impl_->read_chunk(static_cast<std::uint32_t>(number), out));
  }
  if (at % kChunkBytes == 0) {
    out.resize(count);
    return out;
  }
  return out.substr(at % kChunkBytes, count);
}

absl::StatusOr<base::FileBytes> read_sealed_file(const std::string& path, std::string_view key) {
  ASSIGN_OR_RETURN(const auto own, parse_file_key(key));
  ASSIGN_OR_RETURN(const auto reader, SealedFileReader::open(path, own));
  ASSIGN_OR_RETURN(auto plain, reader.read(0, static_cast<std::size_t>(reader.plain_bytes())));
  return base::FileBytes(std::move(plain));
}

absl::StatusOr<std::string> sealed_file_key(const std::string& path, std::string_view head) {
  ASSIGN_OR_RETURN(const auto fd, open_file(path));
  ASSIGN_OR_RETURN(const auto bytes, read_at(fd.get(), 0, kFileHeadBytes));
  ASSIGN_OR_RETURN(const auto parsed, parse_file_head(bytes));
  if (!head.empty() && bytes != head) return sealed_anew();
  return std::string(absl::BytesToHexString(parsed.key_id));
}

}  // namespace plinth::governance
