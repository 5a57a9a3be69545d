#include "protocol/generate.h"

namespace plinth::protocol {

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::none:
      return "none";
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "cancelled";
    case FinishReason::content_filter:
      return "content_filter";
    case FinishReason::error:
      return "error";
  }
  return "unknown";
}

ServiceClass service_class_named(std::string_view name) {
  return name == "batch" ? ServiceClass::batch : ServiceClass::standard;
}

}  // namespace plinth::protocol
