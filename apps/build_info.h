// What this program is: for `plinth version` and `plinth doctor`.
#pragma once

#include <fmt/format.h>

#include <string>

namespace plinth {

inline constexpr char kVersion[] = PLINTH_VERSION;

inline std::string compiler_name() {
#ifdef __clang__
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

}  // namespace plinth
