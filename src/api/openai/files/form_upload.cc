#include "api/openai/files/form_upload.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "api/error_map.h"
#include "api/limits.h"
#include "api/openai/files/file_errors.h"
#include "api/query.h"

namespace plinth::api {

namespace {

using Object = base::json::object;

base::json::value value_of(const std::string& text, const Schema* schema) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  if (schema != nullptr && schema->kind == Kind::integer) {
    const auto [at, error] = std::from_chars(text.data(), end, number);
    // What is no number stays a text, which the declaration then refuses by name.
    if (error == std::errc() && at == end && !text.empty()) return number;
  }
  return base::json::string(text);
}

// "expires_after[seconds]" is a field of the object expires_after.
void put_field(const std::string& name, const std::string& text, const Schema& form, Object& into) {
  const auto open = name.find('[');
  const auto* field = form.field(name.substr(0, open));
  if (field == nullptr || open == std::string::npos || !name.ends_with("]") ||
      field->schema.kind != Kind::object) {
    into[name] = value_of(text, field == nullptr ? nullptr : &field->schema);
    return;
  }
  const auto inner = name.substr(open + 1, name.size() - open - 2);
  auto& object = into[field->name];
  if (!object.is_object()) object = Object();
  const auto* part = field->schema.field(inner);
  object.get_object()[inner] = value_of(text, part == nullptr ? nullptr : &part->schema);
}

// Shared by whoever reads the next piece; one at a time does.
class FormUpload final : public net::MultipartSink,
                         public std::enable_shared_from_this<FormUpload> {
 public:
  FormUpload(ExchangePtr exchange, FormUploadOptions options)
      : exchange_(std::move(exchange)), options_(std::move(options)) {}

  void start() {
    auto reader = net::MultipartReader::open(exchange_->request().header("content-type"), *this);
    if (!reader.ok()) return refuse(reader.status());
    reader_.emplace(*std::move(reader));
    if (exchange_->request().stream != nullptr) return read_on();
    if (take(exchange_->request().body)) (void)take("");
  }

  absl::Status on_part(net::MultipartPart part) override {
    name_ = std::move(part.name);
    text_.clear();
    is_file_ = name_ == options_.file_field;
    if (names_.contains(name_))
      return parameter_error(fmt::format("Invalid '{}': it is given twice.", name_), name_);
    names_[name_] = part.filename.value_or("");
    if (!is_file_) return absl::OkStatus();
    if (!part.filename)
      return parameter_error(fmt::format("Expected '{}' to be a file.", name_), name_);
    auto body = options_.begin();
    if (!body.ok()) return file_error(body.status(), name_);
    body_.emplace(*std::move(body));
    return absl::OkStatus();
  }

  absl::Status on_data(std::string_view bytes) override {
    if (is_file_) return file_error(body_->write(bytes), name_);
    if (text_.size() + bytes.size() > kFormFieldBytesMax)
      return parameter_error(fmt::format("Invalid '{}': it is too long.", name_), name_);
    text_ += bytes;
    return absl::OkStatus();
  }

  absl::Status on_part_end() override {
    if (!is_file_) {
      if (!is_text(text_))
        return parameter_error(fmt::format("Invalid '{}': it is no text.", name_), name_);
      names_[name_] = text_;
    }
    return absl::OkStatus();
  }

 private:
  void read_on() {
    exchange_->request().stream->read(
        [self = shared_from_this()](absl::StatusOr<std::string> piece) mutable {
          if (!piece.ok()) return self->refuse(piece.status());
          run_on_files(self->exchange_, [self, bytes = *std::move(piece)] {
            if (self->take(bytes)) self->read_on();
          });
        });
  }

  // False where nothing more is to be read. "" is the end.
  bool take(std::string_view bytes) {
    auto status = bytes.empty() ? reader_->finish() : reader_->feed(bytes);
    if (status.ok() && !bytes.empty()) return true;
    if (status.ok()) status = finish();
    if (!status.ok()) refuse(status);
    return false;
  }

  absl::Status finish() {
    Object fields;
    for (const auto& [name, text] : names_) put_field(name, text, options_.form(), fields);
    base::json::value document(std::move(fields));
    RETURN_IF_ERROR(validate(options_.form(), document, exchange_->services().validation()));
    options_.done({std::move(document.get_object()), *std::exchange(body_, std::nullopt)});
    return absl::OkStatus();
  }

  void refuse(const absl::Status& status) {
    body_.reset();
    // Nobody hears it but the log: the client left, or was told.
    const bool over = absl::IsCancelled(status);
    exchange_->refuse(over ? base::invalid_argument(base::message(status)) : status);
  }

  const ExchangePtr exchange_;
  const FormUploadOptions options_;
  std::optional<net::MultipartReader> reader_;
  std::map<std::string, std::string> names_;  // what was said of each field; of a file its name
  std::string name_, text_;                   // of the part that is being read
  bool is_file_ = false;
  std::optional<governance::BodyWriter> body_;
};

}  // namespace

void read_form(const ExchangePtr& exchange, FormUploadOptions options) {
  run_on_files(exchange, [upload = std::make_shared<FormUpload>(exchange, std::move(options))] {
    upload->start();
  });
}

}  // namespace plinth::api
