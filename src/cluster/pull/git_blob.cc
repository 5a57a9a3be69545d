#include "cluster/pull/git_blob.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "base/check.h"
#include "base/file.h"

namespace plinth::cluster {

absl::StatusOr<std::string> git_blob_of_file(const std::string& path, std::size_t bytes_max) {
  ASSIGN_OR_RETURN(const std::string content, base::read_file(path, bytes_max));
  std::string text = fmt::format("blob {}", content.size());
  text += '\0';
  text += content;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha1(), nullptr) == 1);
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace plinth::cluster
