// The second place of checkpoints: a folder with a file of lines for each key that signed some, and
// that key's public half. It had best lie where whoever can change the database cannot write.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "governance/audit/checkpoint.h"
#include "governance/audit/signing_key.h"

namespace plinth::governance {

// Appends to one file. Not thread-safe.
class CheckpointCopies {
 public:
  // Makes the folder, KEY.pem and KEY.jsonl where they are missing. The beginning of a line that a
  // crash left behind is cut off: it was never told to anybody.
  static absl::StatusOr<CheckpointCopies> open(const std::string& folder, const VerifyingKey& key);

  // The last line; nothing in an empty file.
  const std::optional<AuditCheckpoint>& last() const { return last_; }
  // Durable when this returns OK.
  absl::Status append(const std::vector<SignedCheckpoint>& checkpoints);

 private:
  CheckpointCopies(std::string path, base::UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}
  absl::Status read_end();

  std::string path_;
  base::UniqueFd fd_;
  std::optional<AuditCheckpoint> last_;
};

// What a folder holds. `take` gets each whole line; where it stands is for messages.
struct CheckpointFolder {
  std::vector<VerifyingKey> keys;
};
absl::StatusOr<CheckpointFolder> read_checkpoint_folder(
    const std::string& folder,
    const std::function<absl::Status(std::string_view line, const std::string& where)>& take);

}  // namespace plinth::governance
