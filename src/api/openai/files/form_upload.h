// A multipart form with one file, read while it arrives: its bytes go into the writer of a body as
// they come, its other fields are checked by a declaration once it is whole.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "api/exchange.h"
#include "api/schema/schema.h"
#include "governance/files.h"
#include "net/multipart_reader.h"

namespace plinth::api {

// What came: the fields as an object that its declaration has passed, and the body.
struct UploadedForm {
  base::json::object fields;
  governance::BodyWriter body;
};

struct FormUploadOptions {
  std::string_view file_field;  // "file"
  const Schema& (*form)();      // of all fields, the file's name in its place
  // Both run where they may wait. `begin` when the file's bytes begin, `done` once, where nothing
  // was refused.
  std::function<absl::StatusOr<governance::BodyWriter>()> begin;
  std::function<void(UploadedForm)> done;
};

// Refuses the exchange where the body is no such form, where `begin` or the writer refuse, and
// where it ends early; then nothing is left of it.
void read_form(const ExchangePtr& exchange, FormUploadOptions options);

}  // namespace plinth::api
