#include "apps/service_file.h"

#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

namespace plinth {

namespace {

std::string path_of(const std::string& home) { return home + "/run/service.json"; }

}  // namespace

absl::StatusOr<ServiceAddress> read_service_file(const std::string& home) {
  const std::string path = path_of(home);
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, 1u << 16));
  ASSIGN_OR_RETURN(const auto document, base::parse_json(text));
  const auto* object = document.if_object();
  const auto* url = object == nullptr ? nullptr : object->if_contains("url");
  if (url == nullptr || !url->is_string()) return base::data_loss(path + ": no \"url\"");
  ServiceAddress service;
  service.url = std::string(url->get_string());
  if (const auto* pid = object->if_contains("pid"); pid != nullptr && pid->is_int64()) {
    service.pid = static_cast<int>(pid->get_int64());
  }
  if (const auto* models = object->if_contains("models"); models != nullptr && models->is_array()) {
    for (const auto& model : models->get_array()) {
      if (model.is_string()) service.models.emplace_back(model.get_string());
    }
  }
  return service;
}

absl::StatusOr<ServiceFile> ServiceFile::write(const std::string& home,
                                               const ServiceAddress& service) {
  ServiceFile file(path_of(home));
  const base::json::object content{{"url", service.url},
                                   {"pid", service.pid},
                                   {"models", base::json::value_from(service.models)}};
  RETURN_IF_ERROR(base::write_file_atomic(file.path_, base::to_json(content)));
  return file;
}

ServiceFile::~ServiceFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace plinth
