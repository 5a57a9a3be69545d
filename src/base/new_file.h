// A file that is written in parts and is there only once it is whole.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/status.h"

namespace plinth::base {

// Not thread-safe. What is not committed leaves nothing.
class NewFile {
 public:
  // Beside `path`, over what lies there. Errors have the system's reason.
  static absl::StatusOr<NewFile> create(const std::string& path);
  NewFile(NewFile&& other) noexcept
      : fd_(std::move(other.fd_)),
        part_(std::exchange(other.part_, std::string())),
        path_(std::move(other.path_)) {}
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  absl::Status write(std::string_view part);
  // Durable and under its name when this returns OK.
  absl::Status commit();

 private:
  NewFile(UniqueFd fd, std::string part, std::string path)
      : fd_(std::move(fd)), part_(std::move(part)), path_(std::move(path)) {}
  UniqueFd fd_;
  std::string part_, path_;  // part_: "" once there is nothing to remove
};

}  // namespace plinth::base
