#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "base/file.h"
#include "governance/sealed_file.h"
#include "governance/vault/abandoned.h"
#include "governance/vault/file_format.h"
#include "store/sha256.h"

namespace plinth::governance {

namespace {

// Two who write one file at a time do not meet.
constexpr std::size_t kPartialNameBytes = 8;

}  // namespace

struct SealedFileWriter::Impl {
  Impl(std::string path_, std::string partial_, const KeyBytes& key)
      : path(std::move(path_)), partial(std::move(partial_)), aead(key) {}
  ~Impl() {
    if (fd.valid() && !finished) ::unlink(partial.c_str());
  }

  absl::Status put(std::string_view bytes) {
    digest.update({bytes.data(), bytes.size()});
    while (!bytes.empty()) {
      const auto count = ::write(fd.get(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return base::errno_status(errno, path);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return absl::OkStatus();
  }

  absl::Status put_chunk(bool is_last) {
    if (number == std::numeric_limits<std::uint32_t>::max())
      return base::resource_exhausted("[vault] a sealed file has at most 256 TiB");
    std::string sealed;
    aead.seal(chunk_nonce(number++, is_last), bound, chunk, sealed);
    std::fill(chunk.begin(), chunk.end(), '\0');
    chunk.clear();
    return put(sealed);
  }

  const std::string path, partial;
  Aead aead;
  base::UniqueFd fd;
  store::Sha256 digest;
  std::string bound, chunk, sha256;
  std::uint32_t number = 0;
  std::uint64_t plain_bytes = 0;
  bool finished = false;
};

SealedFileWriter::SealedFileWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SealedFileWriter::SealedFileWriter(SealedFileWriter&&) noexcept = default;
SealedFileWriter::~SealedFileWriter() = default;

absl::StatusOr<SealedFileWriter> SealedFileWriter::open(const std::string& path, const DataKey& key,
                                                        const SealedFor& place,
                                                        const RandomBytes& random) {
  ASSIGN_OR_RETURN(const auto salt, random(kSaltBytes));
  ASSIGN_OR_RETURN(const auto name, random(kPartialNameBytes));
  const auto partial =
      fmt::format("{}.{}{}", path, absl::BytesToHexString(base::to_absl(name)), kPartialSuffix);
  auto impl = std::make_unique<Impl>(path, partial, derive_key(*key.bytes, salt, kFilePurpose));
  impl->fd = base::UniqueFd(
      ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!impl->fd.valid()) return base::errno_status(errno, partial);
  RETURN_IF_ERROR(claim_partial(impl->fd.get()));
  const auto head = file_head(absl::HexStringToBytes(key.id), salt);
  CHECK(head.size() == kFileHeadBytes);
  impl->bound = head + bound_bytes(place);
  RETURN_IF_ERROR(impl->put(head));
  return SealedFileWriter(std::move(impl));
}

absl::Status SealedFileWriter::write(std::string_view plain) {
  auto& all = *impl_;
  CHECK(!all.finished);
  all.plain_bytes += plain.size();
  while (!plain.empty()) {
    // A full chunk waits for what follows: only then is it known not to be the last.
    if (all.chunk.size() == kChunkBytes) RETURN_IF_ERROR(all.put_chunk(false));
    const auto part = plain.substr(0, kChunkBytes - all.chunk.size());
    all.chunk += part;
    plain.remove_prefix(part.size());
  }
  return absl::OkStatus();
}

absl::Status SealedFileWriter::finish(Place place) {
  auto& all = *impl_;
  CHECK(!all.finished);
  RETURN_IF_ERROR(all.put_chunk(true));
  if (::fsync(all.fd.get()) != 0) return base::errno_status(errno, all.path);
  if (place == Place::replace) {
    if (::rename(all.partial.c_str(), all.path.c_str()) != 0)
      return base::errno_status(errno, all.path);
  } else {
    if (::link(all.partial.c_str(), all.path.c_str()) != 0) {
      return errno == EEXIST ? absl::AlreadyExistsError("[vault] there is such a file already")
                             : base::errno_status(errno, all.path);
    }
    ::unlink(all.partial.c_str());
  }
  all.finished = true;
  all.sha256 = all.digest.hex();
  return base::sync_folder(std::filesystem::path(all.path).parent_path());
}

std::uint64_t SealedFileWriter::plain_bytes() const { return impl_->plain_bytes; }
const std::string& SealedFileWriter::sha256() const { return impl_->sha256; }

}  // namespace plinth::governance
