// Any bytes as a packed file: no entries, or entries of which each is read whole or found to be cut
// short; and then a file that can be written anew.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "tensor/packed_file.h"

namespace {

constexpr std::uint64_t kReadMax = 1 << 20;

// One file for all inputs.
struct ScratchFile {
  std::string path = "/tmp/packed_file_fuzz_XXXXXX";
  ScratchFile() { CHECK(::mkstemp(path.data()) >= 0); }
  ~ScratchFile() { ::unlink(path.c_str()); }

  void hold(const uint8_t* data, size_t size) const {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    CHECK(file.flush().good());
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using plinth::tensor::PackedFile;
  static const ScratchFile scratch;
  scratch.hold(data, size);
  auto file = PackedFile::open(scratch.path);
  CHECK(file.ok());
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < file->entries().size(); ++i) {
    if (file->entries()[i].bytes > kReadMax) continue;
    bytes.resize(static_cast<std::size_t>(file->entries()[i].bytes));
    (void)file->read(i, bytes, nullptr);
  }
  const std::vector<std::uint8_t> weights(data, data + size);
  const plinth::tensor::PackedEntry entry{size, {}};
  const std::span<const std::uint8_t> view(weights);
  CHECK(file->write({&entry, 1}, {&view, 1}).ok());
  const auto again = PackedFile::open(scratch.path);
  CHECK(again.ok() && again->entries().size() == 1);
  bytes.resize(size);
  CHECK(again->read(0, bytes, nullptr).ok() && bytes == weights);
  return 0;
}
