#include "base/storage.h"

#include "base/new_file.h"

namespace plinth::base {

namespace {

class PlainSink final : public FileSink {
 public:
  explicit PlainSink(NewFile file) : file_(std::move(file)) {}
  absl::Status write(std::string_view part) override { return file_.write(part); }
  absl::Status commit() override { return file_.commit(); }

 private:
  NewFile file_;
};

class PlainStorage final : public Storage {
 public:
  absl::StatusOr<std::unique_ptr<FileSink>> create(const std::string& path) const override {
    ASSIGN_OR_RETURN(auto file, NewFile::create(path));
    return std::unique_ptr<FileSink>(std::make_unique<PlainSink>(std::move(file)));
  }
  absl::StatusOr<FileBytes> read(const std::string& path) const override { return map_file(path); }
};

}  // namespace

std::span<const std::uint8_t> FileBytes::bytes() const {
  if (const auto* mapped = std::get_if<MappedFile>(&held_)) return mapped->bytes();
  const auto& held = std::get<std::string>(held_);
  return {reinterpret_cast<const std::uint8_t*>(held.data()), held.size()};
}

std::string_view FileBytes::text() const {
  const auto all = bytes();
  return {reinterpret_cast<const char*>(all.data()), all.size()};
}

absl::StatusOr<FileBytes> map_file(const std::string& path) {
  ASSIGN_OR_RETURN(auto file, MappedFile::open(path));
  return FileBytes(std::move(file));
}

absl::Status Storage::write(const std::string& path, std::string_view content) const {
  ASSIGN_OR_RETURN(const auto file, create(path));
  RETURN_IF_ERROR(file->write(content));
  return file->commit();
}

const Storage& plain_storage() {
  static const PlainStorage storage;
  return storage;
}

}  // namespace plinth::base
