#include "tensor/tuning_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "tensor/limits.h"

namespace plinth::tensor {

absl::StatusOr<TuningFile> TuningFile::open(const std::string& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) {
    return base::unavailable(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  }
  return TuningFile(path, std::move(fd));
}

absl::StatusOr<std::string> TuningFile::content() const {
  std::string text(kTuningBytesMax + 1, '\0');
  const auto got = ::pread(file_.get(), text.data(), text.size(), 0);
  if (got < 0) return base::unavailable(fmt::format("cannot be read: {}", std::strerror(errno)));
  if (static_cast<std::size_t>(got) > kTuningBytesMax) return base::data_loss("too long");
  text.resize(static_cast<std::size_t>(got));
  return text;
}

BlockingTable TuningFile::read() const {
  const auto text = content();
  absl::Status status = text.status();
  if (status.ok()) {
    if (text->empty()) return {};
    auto table = read_tuning(*text, processor_name());
    if (table.ok()) return *std::move(table);
    status = table.status();
  }
  LOG(warn, "{} is ignored and measured anew: {}", path_, base::message(status));
  return {};
}

absl::Status TuningFile::write(const BlockingTable& table) {
  auto text = write_tuning(table, processor_name());
  // A worker's sandbox has no way to cut a file: what was longer is blanked.
  if (const auto old = content(); old.ok() && old->size() > text.size()) {
    text.resize(old->size(), '\n');
  }
  const bool done =
      ::lseek(file_.get(), 0, SEEK_SET) == 0 &&
      ::write(file_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (done) return absl::OkStatus();
  return base::unavailable(fmt::format("{}: cannot be written: {}", path_, std::strerror(errno)));
}

}  // namespace plinth::tensor
