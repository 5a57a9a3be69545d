#include "engine/adapter_pool.h"

#include <fmt/format.h>

namespace plinth::engine {

AdapterLease::~AdapterLease() { pool_.release(name_); }

absl::StatusOr<std::shared_ptr<const AdapterLease>> AdapterPool::acquire(
    const protocol::AdapterRef& adapter) {
  std::unique_lock lock(mutex_);
  while (true) {
    const auto [place, fresh] = entries_.try_emplace(adapter.id);
    if (fresh) {
      lock.unlock();
      const auto loaded = runner_.load_adapter(adapter);
      lock.lock();
      const auto kept = keep(adapter.id, loaded);
      changed_.notify_all();
      RETURN_IF_ERROR(kept);
      continue;
    }
    auto& entry = place->second;
    if (entry.loading) {
      changed_.wait(lock);
      continue;
    }
    ++entry.users;
    entry.used = ++ticks_;
    return std::make_shared<const AdapterLease>(*this, adapter.id, entry.adapter.id);
  }
}

// Called with mutex_ held. What was loaded stays, or is gone again.
absl::Status AdapterPool::keep(const std::string& name,
                               const absl::StatusOr<LoadedAdapter>& loaded) {
  auto& entry = entries_.at(name);
  if (!loaded.ok()) {
    entries_.erase(name);
    // Its file was sealed anew: whoever asks with the new key gets it.
    if (absl::IsAborted(loaded.status())) return loaded.status();
    return base::failed_precondition(
        fmt::format("the adapter cannot be loaded: {}", base::message(loaded.status())));
  }
  entry.adapter = *loaded;
  bytes_ += loaded->bytes;
  const bool fits = loaded->bytes <= bytes_max_;
  if (fits && make_room()) {
    entry.loading = false;
    return absl::OkStatus();
  }
  bytes_ -= loaded->bytes;
  entries_.erase(name);
  runner_.unload_adapter(loaded->id);
  if (fits) return base::resource_exhausted("the adapters in use leave no room; retry later");
  return base::failed_precondition(fmt::format(
      "the adapter takes {} bytes of memory, and adapters may have {}", loaded->bytes, bytes_max_));
}

// Called with mutex_ held.
bool AdapterPool::make_room() {
  while (bytes_ > bytes_max_) {
    auto oldest = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->second.loading || it->second.users > 0) continue;
      if (oldest == entries_.end() || it->second.used < oldest->second.used) oldest = it;
    }
    if (oldest == entries_.end()) return false;
    bytes_ -= oldest->second.adapter.bytes;
    runner_.unload_adapter(oldest->second.adapter.id);
    entries_.erase(oldest);
  }
  return true;
}

void AdapterPool::release(const std::string& name) {
  const std::lock_guard lock(mutex_);
  --entries_.at(name).users;
}

std::size_t AdapterPool::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::int32_t AdapterPool::loaded() const {
  const std::lock_guard lock(mutex_);
  std::int32_t count = 0;
  for (const auto& [name, entry] : entries_) count += entry.loading ? 0 : 1;
  return count;
}

}  // namespace plinth::engine
