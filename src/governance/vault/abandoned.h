// Files that are being written: who writes one holds a lock on it, which ends with the process, so
// that anybody can tell what a crash left from what is still on its way.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace plinth::governance {

inline constexpr char kPartialSuffix[] = ".partial";

// Unavailable where the file was taken for abandoned before it was claimed: a new one is another.
absl::Status claim_partial(int descriptor);

enum class Abandoned : std::uint8_t {
  removed,
  held,     // somebody writes it
  unknown,  // locks say nothing here
};
// Removes the file where nobody holds it.
Abandoned remove_abandoned(const std::string& path);

}  // namespace plinth::governance
