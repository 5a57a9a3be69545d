// Any bytes as plinth.toml: an error, or settings that print and parse again to the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using plinth::base::Settings;
  Settings settings;
  if (!settings.read_toml({reinterpret_cast<const char*>(data), size}, "plinth.toml").ok())
    return 0;
  Settings again;
  for (const auto& setting : plinth::base::declared_settings()) {
    if (setting.type == plinth::base::SettingType::list) continue;
    const auto text = settings.as_text(setting.key);
    if (!again.set(setting.key, text, "again").ok()) std::abort();
    if (again.as_text(setting.key) != text) std::abort();
  }
  return 0;
}
