#include "api/openai/files/files.h"
#include "api/openai/project_errors.h"

#include <fmt/format.h>

#include "api/error_map.h"
#include "api/limits.h"
#include "api/openai/admin/listing.h"
#include "api/openai/files/file_errors.h"
#include "api/openai/files/file_objects.h"
#include "api/openai/files/form_upload.h"
#include "api/query.h"
#include "api/schema/values.h"
#include "base/log.h"
#include "governance/file_limits.h"

namespace plinth::api {

namespace {

using Object = base::json::object;
using governance::SealedFileReader;
using store::FileRow;

governance::Files& files(const Exchange& exchange) {
  return exchange.services().governance.files();
}

absl::StatusOr<FileRow> find(const Exchange& exchange) {
  const auto& who = exchange.principal;
  auto row = files(exchange).find(who.organization, who.project, exchange.parameter(0));
  if (!row.ok()) return file_error(row.status(), "id");
  return row;
}

void finish_file(const ExchangePtr& exchange, UploadedForm form) {
  const auto& who = exchange->principal;
  const governance::FileSpec spec{std::string(form.fields.at("purpose").get_string()),
                                  std::string(form.fields.at("file").get_string()),
                                  expires_after_s(form.fields)};
  const auto row =
      files(*exchange).commit(std::move(form.body), who.organization, who.project, spec);
  if (!row.ok()) return exchange->refuse(file_error(row.status(), "file"));
  exchange->send_json(file_object(*row));
}

absl::StatusOr<Object> list(const Exchange& exchange) {
  ASSIGN_OR_RETURN(const auto query, read_query(exchange, file_list_query()));
  const auto* purpose = query.if_contains("purpose");
  const auto& who = exchange.principal;
  const auto page = files(exchange).list(
      who.organization, who.project, purpose == nullptr ? "" : std::string(purpose->get_string()),
      page_of(file_list_query(), query));
  if (!page.ok()) return file_error(page.status(), "after");
  return list_object(*page, file_object);
}

// A body on its way to a client; one piece at a time.
class Download : public std::enable_shared_from_this<Download> {
 public:
  Download(ExchangePtr exchange, SealedFileReader body)
      : exchange_(std::move(exchange)), body_(std::move(body)) {}

  void start(const net::HttpHeaders& headers) {
    if (!exchange_->start_bytes("application/octet-stream", headers)) return;
    if (exchange_->request().method == "HEAD") return exchange_->stream().end_stream();
    go_on();
  }

 private:
  void go_on() {
    if (at_ >= body_.plain_bytes()) return exchange_->stream().end_stream();
    const auto piece = body_.read(at_, kFilePieceBytes);
    if (!piece.ok()) {
      LOG(error, "{}: a download was cut short: {}", exchange_->id(), piece.status().ToString());
      return exchange_->stream().break_off();
    }
    at_ += piece->size();
    if (!exchange_->stream().write(*piece)) return;
    exchange_->stream().when_taken([self = shared_from_this()] {
      const auto queued = self->queue([self] { self->go_on(); });
      if (!queued.ok()) self->exchange_->stream().break_off();
    });
  }

  absl::Status queue(std::function<void()> work) {
    auto* files = exchange_->services().files;
    if (files != nullptr) return files->add(std::move(work));
    work();
    return absl::OkStatus();
  }

  const ExchangePtr exchange_;
  const SealedFileReader body_;
  std::uint64_t at_ = 0;
};

void send_content(const ExchangePtr& exchange) {
  const auto row = find(*exchange);
  if (!row.ok()) return exchange->refuse(row.status());
  auto body = files(*exchange).open_body(*row);
  if (!body.ok()) return exchange->refuse(file_error(body.status(), "id"));
  const net::HttpHeaders headers{
      {"content-disposition", "attachment; filename*=UTF-8''" + percent_encoded(row->filename)},
      {"x-content-type-options", "nosniff"}};
  std::make_shared<Download>(exchange, *std::move(body))->start(headers);
}

}  // namespace

void create_file(const ExchangePtr& exchange) {
  const auto& who = exchange->principal;
  read_form(exchange,
            {"file", file_form_schema,
             [exchange, &who] { return files(*exchange).begin(who.organization, who.project); },
             [exchange](UploadedForm form) { finish_file(exchange, std::move(form)); }});
}

void list_files(const ExchangePtr& exchange) {
  run_on_files(exchange, [exchange] { answer(exchange, list(*exchange)); });
}

void retrieve_file(const ExchangePtr& exchange) {
  run_on_files(exchange, [exchange] {
    const auto row = find(*exchange);
    row.ok() ? exchange->send_json(file_object(*row)) : exchange->refuse(row.status());
  });
}

void retrieve_file_content(const ExchangePtr& exchange) {
  run_on_files(exchange, [exchange] { send_content(exchange); });
}

absl::Status find_file(Exchange& exchange) {
  RETURN_IF_ERROR(check_has_project(exchange, "Files"));
  return find(exchange).status();
}

void delete_file(const ExchangePtr& exchange) {
  const auto& who = exchange->principal;
  const auto& id = exchange->parameter(0);
  const auto status = files(*exchange).remove(who.organization, who.project, id);
  if (!status.ok()) return exchange->refuse(file_error(status, "id"));
  // What has a row keeps its body: the act may have been undone.
  exchange->when_over([&services = exchange->services(), id] {
    const auto drop = [&services, id] {
      if (const auto dropped = services.governance.files().drop_body(id); !dropped.ok())
        LOG(warn, "the body of {} goes later: {}", id, dropped.ToString());
    };
    if (services.files == nullptr) return drop();
    if (!services.files->add(drop).ok()) LOG(warn, "the body of {} goes later", id);
  });
  exchange->send_json(deletion_object("file", id));
}

}  // namespace plinth::api
