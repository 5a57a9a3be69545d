// The sealed files of a home beside its database in a backup, and back. What is copied is held to
// the digest that the database names.
//
//   BACKUP/content.sha256     what there is, for `sha256sum --check`
//   BACKUP/content/XX/ID      the files
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/backup.h"

namespace plinth {

inline constexpr char kContentList[] = "content.sha256";

// Copies the files that `snapshot` names from `content_folder` into `backup`, with their list.
// Files may be deleted and sealed anew meanwhile: then `snapshot` is called again, and what was
// copied is kept as far as it still counts. Unavailable names a file that was never as the
// database says.
absl::Status copy_content(
    const std::string& content_folder, const std::string& backup,
    const std::function<absl::StatusOr<std::vector<store::CopiedContent>>()>& snapshot);

// Of BACKUP/content.sha256. DataLoss names the first file that is missing or changed.
absl::StatusOr<std::vector<store::CopiedContent>> verify_content(const std::string& backup);
// FailedPrecondition where another file has the place of one.
absl::Status refuse_other_content(const std::vector<store::CopiedContent>& files,
                                  const std::string& content_folder);
// What is there already, the same, stays.
absl::Status restore_content(const std::string& backup,
                             const std::vector<store::CopiedContent>& files,
                             const std::string& content_folder);

}  // namespace plinth
