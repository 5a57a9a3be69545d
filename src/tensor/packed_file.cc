#include "tensor/packed_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "tensor/limits.h"
#include "tensor/pack/packed_forms.h"

namespace plinth::tensor {

namespace {

constexpr std::uint64_t kHeaderBytes = 4096;
constexpr std::array<char, 16> kMagic = {"plinth packed\n"};
constexpr std::int64_t kReadChunk = 1 << 20;

struct Header {
  std::array<char, 16> magic = kMagic;
  std::uint64_t version = kPackedVersion;
  std::uint64_t table = 0;  // where it starts
  std::uint64_t entries = 0;
};

absl::Status file_error(const std::string& path, const char* what) {
  return base::unavailable(fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
}

absl::Status read_at(const base::UniqueFd& file, const std::string& path, std::uint64_t offset,
                     std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const auto got = ::pread(file.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(path, "cannot be read");
    if (got == 0) return base::data_loss(fmt::format("{} is cut short", path));
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return absl::OkStatus();
}

// seek and write, since a worker's sandbox has them.
absl::Status write_at(const base::UniqueFd& file, const std::string& path, std::uint64_t offset,
                      std::span<const std::uint8_t> from) {
  if (::lseek(file.get(), static_cast<off_t>(offset), SEEK_SET) < 0) {
    return file_error(path, "cannot be written");
  }
  while (!from.empty()) {
    const auto put = ::write(file.get(), from.data(), from.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return file_error(path, "cannot be written");
    from = from.subspan(static_cast<std::size_t>(put));
  }
  return absl::OkStatus();
}

template <typename T>
std::span<std::uint8_t> bytes_of(T* values, std::size_t count) {
  return {reinterpret_cast<std::uint8_t*>(values), count * sizeof(T)};
}

}  // namespace

std::string model_cache_name(const std::string& path) {
  constexpr int kDigestBytes = 8;
  std::array<std::uint8_t, 32> digest{};
  CHECK(EVP_Digest(path.data(), path.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  std::string name = path.substr(path.find_last_of('/') + 1) + "-";
  for (int i = 0; i < kDigestBytes; ++i) name += fmt::format("{:02x}", digest[i]);
  return name;
}

absl::StatusOr<PackedFile> PackedFile::open(const std::string& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return file_error(path, "cannot be opened");
  PackedFile file(path, std::move(fd));
  // What cannot be read is written anew.
  auto table = file.read_table();
  if (table.ok()) file.entries_ = *std::move(table);
  std::uint64_t offset = kHeaderBytes;
  for (const auto& entry : file.entries_) {
    file.offsets_.push_back(offset);
    offset += entry.bytes;
  }
  return file;
}

absl::StatusOr<std::vector<PackedEntry>> PackedFile::read_table() const {
  Header header;
  RETURN_IF_ERROR(read_at(file_, path_, 0, bytes_of(&header, 1)));
  if (header.magic != kMagic || header.version != kPackedVersion ||
      header.entries > kPackedEntriesMax || header.table > kPackedBytesMax) {
    return base::data_loss(fmt::format("{} is no packed file of this version", path_));
  }
  std::vector<PackedEntry> entries(static_cast<std::size_t>(header.entries));
  RETURN_IF_ERROR(read_at(file_, path_, header.table, bytes_of(entries.data(), entries.size())));
  std::uint64_t end = kHeaderBytes;
  for (const auto& entry : entries) {
    if (entry.bytes > kPackedBytesMax - end) {
      return base::data_loss(fmt::format("{}: an entry is too long", path_));
    }
    end += entry.bytes;
  }
  if (end != header.table) return base::data_loss(fmt::format("{}: sizes disagree", path_));
  return entries;
}

absl::Status PackedFile::read(std::size_t index, std::span<std::uint8_t> out,
                              base::ThreadPool* pool) const {
  CHECK(index < entries_.size() && out.size() == entries_[index].bytes);
  if (pool == nullptr) return read_at(file_, path_, offsets_[index], out);
  std::atomic<bool> failed{false};
  pool->parallel_for(
      static_cast<std::int64_t>(out.size()), kReadChunk, [&](std::int64_t begin, std::int64_t end) {
        const auto part =
            out.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
        const auto at = offsets_[index] + static_cast<std::uint64_t>(begin);
        if (!read_at(file_, path_, at, part).ok()) failed = true;
      });
  if (failed) return base::data_loss(fmt::format("{} cannot be read whole", path_));
  return absl::OkStatus();
}

absl::Status PackedFile::write(std::span<const PackedEntry> entries,
                               std::span<const std::span<const std::uint8_t>> weights) {
  CHECK(entries.size() == weights.size());
  entries_.clear();
  offsets_.clear();
  const auto status = write_all(entries, weights);
  if (status.ok()) return status;
  // Blocks of a full disk come free again where the sandbox lets a file be cut.
  (void)!::ftruncate(file_.get(), 0);
  return status;
}

absl::Status PackedFile::write_all(std::span<const PackedEntry> entries,
                                   std::span<const std::span<const std::uint8_t>> weights) {
  Header none;
  none.magic = {};
  RETURN_IF_ERROR(write_at(file_, path_, 0, bytes_of(&none, 1)));
  std::uint64_t offset = kHeaderBytes;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    CHECK(weights[i].size() == entries[i].bytes);
    RETURN_IF_ERROR(write_at(file_, path_, offset, weights[i]));
    offset += entries[i].bytes;
  }
  Header header;
  header.table = offset;
  header.entries = entries.size();
  const auto* table = reinterpret_cast<const std::uint8_t*>(entries.data());
  RETURN_IF_ERROR(write_at(file_, path_, offset, {table, entries.size_bytes()}));
  // After a power cut the header must not be there without what it speaks of.
  if (::fdatasync(file_.get()) != 0) return file_error(path_, "cannot be written");
  return write_at(file_, path_, 0, bytes_of(&header, 1));
}

}  // namespace plinth::tensor
