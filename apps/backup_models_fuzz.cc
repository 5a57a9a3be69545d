// Any bytes as the tuned models of a backup: an error, or models whose files stay in their folders
// and are what their manifests say.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "apps/backup_models.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto models = plinth::parse_tuned_models({reinterpret_cast<const char*>(data), size});
  if (!models.ok()) return 0;
  for (const auto& [model, files] : *models) {
    if (!plinth::cluster::valid_model_name(model.name)) std::abort();
    for (const auto& file : model.files)
      if (file.path.find('/') != std::string::npos || file.path.starts_with(".")) std::abort();
    for (const auto& [path, text] : files)
      if (text.size() > size) std::abort();
  }
  return 0;
}
