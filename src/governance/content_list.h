// The sealed files that a backup's database names, as `sha256sum --check` reads them: a line for
// each, its digest, two spaces, and its path from the backup's folder.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "store/backup.h"

namespace plinth::governance {

std::string content_line(const store::CopiedContent& file);
// Of a line without its end. InvalidArgument where it is none, or its path is not that of its id.
absl::StatusOr<store::CopiedContent> parse_content_line(std::string_view line);

}  // namespace plinth::governance
