#include "train/mpi_messages.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <thread>

namespace plinth::train {

namespace {

// Others come within a step's noise, mostly: until then a processor is only offered.
constexpr std::chrono::milliseconds kOffers{2};
constexpr std::chrono::microseconds kPause{100};

class MpiMessages final : public Messages {
 public:
  MpiMessages(const MpiFunctions& mpi, const base::Clock& clock) : mpi_(mpi), clock_(clock) {}
  ~MpiMessages() override {
    if (joined_ && !failed_) mpi_.end();
  }

  absl::Status join() {
    RETURN_IF_ERROR(check(mpi_.begin(&place_.rank, &place_.ranks, &ranks_here_), "begin"));
    joined_ = true;
    return absl::OkStatus();
  }

  Place place() const override { return place_; }
  int ranks_here() const override { return ranks_here_; }

  absl::Status send(int to, int tag, std::span<const std::byte> bytes) override {
    for (std::size_t at = 0; at < bytes.size(); at += kMpiBytesMax) {
      const auto part = bytes.subspan(at, std::min(kMpiBytesMax, bytes.size() - at));
      RETURN_IF_ERROR(
          check(mpi_.send(part.data(), static_cast<int>(part.size()), to, tag), "send"));
    }
    return absl::OkStatus();
  }
  absl::Status receive(int from, int tag, std::span<std::byte> bytes) override {
    for (std::size_t at = 0; at < bytes.size(); at += kMpiBytesMax) {
      const auto part = bytes.subspan(at, std::min(kMpiBytesMax, bytes.size() - at));
      RETURN_IF_ERROR(
          check(mpi_.receive(part.data(), static_cast<int>(part.size()), from, tag), "receive"));
    }
    return absl::OkStatus();
  }
  absl::Status move() override {
    int done = 0, awaited = 0;
    return check(mpi_.test(&done, &awaited), "test");
  }
  absl::Status wait(std::chrono::milliseconds bound) override {
    const auto begun = clock_.now();
    for (;;) {
      int done = 0, awaited = 0;
      RETURN_IF_ERROR(check(mpi_.test(&done, &awaited), "test"));
      if (done != 0) return absl::OkStatus();
      const auto waited = clock_.now() - begun;
      if (waited >= bound) {
        failed_ = true;
        return absl::DeadlineExceededError(
            base::to_absl(fmt::format("[ranks] rank {} did not come within {} s", awaited,
                                      std::chrono::duration<double>(bound).count())));
      }
      if (waited < kOffers) {
        ::sched_yield();
      } else {
        std::this_thread::sleep_for(kPause);
      }
    }
  }
  void abort() override { mpi_.abort(); }

 private:
  absl::Status check(int error, std::string_view what) {
    if (error == 0) return absl::OkStatus();
    failed_ = true;
    std::array<char, 512> text{};
    mpi_.describe(error, text.data(), static_cast<int>(text.size()) - 1);
    return base::unavailable(fmt::format("[ranks] MPI, {}: {}", what, text.data()));
  }

  const MpiFunctions& mpi_;
  const base::Clock& clock_;
  Place place_;
  int ranks_here_ = 1;
  bool joined_ = false, failed_ = false;
};

}  // namespace

absl::StatusOr<const MpiFunctions*> load_mpi(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return base::not_found(fmt::format("[ranks] there is no {}", path));
  // What MPI loads itself looks for its names in everything that is there.
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (module == nullptr) return base::failed_precondition(fmt::format("[ranks] {}", ::dlerror()));
  const auto functions =
      reinterpret_cast<decltype(&plinth_mpi_functions)>(::dlsym(module, "plinth_mpi_functions"));
  if (functions == nullptr || functions()->version != kMpiFunctions)
    return base::failed_precondition(fmt::format("[ranks] {} is of another version", path));
  return functions();
}

absl::StatusOr<std::unique_ptr<Messages>> join_mpi(const MpiFunctions& mpi,
                                                   const base::Clock& clock) {
  auto messages = std::make_unique<MpiMessages>(mpi, clock);
  RETURN_IF_ERROR(messages->join());
  return messages;
}

}  // namespace plinth::train
