// CHECK and DCHECK: for our own bugs only. Bad input and a failing environment are absl::Status.
#pragma once

namespace plinth::base {

// Prints `file:line: CHECK failed: what` to stderr and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* what);

}  // namespace plinth::base

#define CHECK(condition)                                            \
  do {                                                              \
    if (!(condition)) [[unlikely]]                                  \
      ::plinth::base::check_failed(__FILE__, __LINE__, #condition); \
  } while (false)

#ifdef NDEBUG
#define DCHECK(condition) \
  do {                    \
  } while (false && (condition))
#else
#define DCHECK(condition) CHECK(condition)
#endif
