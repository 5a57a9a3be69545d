#include <fmt/format.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <tuple>

#include "train/messages.h"

namespace plinth::train {

namespace {

// What has been sent and not yet been received, by sender, receiver and tag.
struct Board {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::tuple<int, int, int>, std::deque<std::vector<std::byte>>> sent;
  std::vector<bool> gone;
};

class InProcessMessages final : public Messages {
 public:
  // Shared by the ranks, of which any may be the last.
  InProcessMessages(std::shared_ptr<Board> board, const Place& place)
      : board_(std::move(board)), place_(place) {}
  ~InProcessMessages() override {
    const std::lock_guard lock(board_->mutex);
    board_->gone[static_cast<std::size_t>(place_.rank)] = true;
    board_->changed.notify_all();
  }

  Place place() const override { return place_; }
  int ranks_here() const override { return place_.ranks; }

  absl::Status send(int to, int tag, std::span<const std::byte> bytes) override {
    const std::lock_guard lock(board_->mutex);
    board_->sent[{place_.rank, to, tag}].emplace_back(bytes.begin(), bytes.end());
    board_->changed.notify_all();
    return absl::OkStatus();
  }
  absl::Status receive(int from, int tag, std::span<std::byte> bytes) override {
    awaited_.push_back({from, tag, bytes});
    return absl::OkStatus();
  }
  absl::Status move() override {
    const std::lock_guard lock(board_->mutex);
    return take();
  }
  absl::Status wait(std::chrono::milliseconds bound) override {
    const auto end = std::chrono::steady_clock::now() + bound;
    std::unique_lock lock(board_->mutex);
    for (;;) {
      RETURN_IF_ERROR(take());
      if (awaited_.empty()) return absl::OkStatus();
      const int from = awaited_.front().from;
      if (board_->gone[static_cast<std::size_t>(from)])
        return base::unavailable(fmt::format("[ranks] rank {} is gone", from));
      if (board_->changed.wait_until(lock, end) == std::cv_status::timeout) {
        return absl::DeadlineExceededError(
            base::to_absl(fmt::format("[ranks] rank {} did not come", from)));
      }
    }
  }
  void abort() override {}

 private:
  struct Awaited {
    int from = 0, tag = 0;
    std::span<std::byte> bytes;
  };

  absl::Status take() {
    for (auto it = awaited_.begin(); it != awaited_.end();) {
      auto& waiting = board_->sent[{it->from, place_.rank, it->tag}];
      if (waiting.empty()) {
        ++it;
        continue;
      }
      if (waiting.front().size() != it->bytes.size())
        return base::internal(fmt::format("[ranks] rank {} does something else", it->from));
      std::memcpy(it->bytes.data(), waiting.front().data(), it->bytes.size());
      waiting.pop_front();
      it = awaited_.erase(it);
    }
    return absl::OkStatus();
  }

  const std::shared_ptr<Board> board_;
  const Place place_;
  std::deque<Awaited> awaited_;
};

}  // namespace

std::vector<std::unique_ptr<Messages>> in_process_messages(int ranks) {
  const auto board = std::make_shared<Board>();
  board->gone.resize(static_cast<std::size_t>(ranks));
  std::vector<std::unique_ptr<Messages>> all;
  for (int rank = 0; rank < ranks; ++rank)
    all.push_back(std::make_unique<InProcessMessages>(board, Place{rank, ranks}));
  return all;
}

}  // namespace plinth::train
