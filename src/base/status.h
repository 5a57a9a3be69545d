// absl::Status with the two propagation macros, and bridges to std::string_view: Debian's Abseil
// has a string_view type of its own.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace plinth::base {

inline absl::string_view to_absl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view to_std(absl::string_view text) { return {text.data(), text.size()}; }
inline std::string_view message(const absl::Status& status) { return to_std(status.message()); }

// Constructors that take what fmt::format returns. The message names the operation first:
// "[gguf] tensor blk.0.attn_q.weight: offset 812 is past the end".
inline absl::Status invalid_argument(std::string_view text) {
  return absl::InvalidArgumentError(to_absl(text));
}
inline absl::Status not_found(std::string_view text) { return absl::NotFoundError(to_absl(text)); }
inline absl::Status unavailable(std::string_view text) {
  return absl::UnavailableError(to_absl(text));
}
inline absl::Status internal(std::string_view text) { return absl::InternalError(to_absl(text)); }
inline absl::Status resource_exhausted(std::string_view text) {
  return absl::ResourceExhaustedError(to_absl(text));
}
inline absl::Status failed_precondition(std::string_view text) {
  return absl::FailedPreconditionError(to_absl(text));
}
inline absl::Status unimplemented(std::string_view text) {
  return absl::UnimplementedError(to_absl(text));
}
inline absl::Status data_loss(std::string_view text) { return absl::DataLossError(to_absl(text)); }

// `status` with `prefix` and ": " before its message; OK stays OK.
absl::Status annotate(const absl::Status& status, std::string_view prefix);
// The Status of the current errno: "operation: No such file or directory".
absl::Status errno_status(int error, std::string_view operation);

}  // namespace plinth::base

#define RETURN_IF_ERROR(expression)               \
  do {                                            \
    ::absl::Status plinth_status_ = (expression); \
    if (!plinth_status_.ok()) [[unlikely]]        \
      return plinth_status_;                      \
  } while (false)

#define PLINTH_CONCAT_INNER_(a, b) a##b
#define PLINTH_CONCAT_(a, b) PLINTH_CONCAT_INNER_(a, b)
// A target may be a declaration, which takes no parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_IMPL_(PLINTH_CONCAT_(plinth_statusor_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_IMPL_(temp, target, expression) \
  auto temp = (expression);                              \
  if (!temp.ok()) [[unlikely]]                           \
    return std::move(temp).status();                     \
  target = *std::move(temp)
// NOLINTEND(bugprone-macro-parentheses)
