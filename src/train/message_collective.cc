#include "train/message_collective.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "train/parameters.h"

namespace plinth::train {

namespace {

template <typename T>
std::span<T> part(std::span<T> values, const Stretch& stretch) {
  return values.subspan(static_cast<std::size_t>(stretch.begin),
                        static_cast<std::size_t>(stretch.size()));
}

class MessageCollective final : public Collective {
 public:
  MessageCollective(std::unique_ptr<Messages> messages, std::chrono::milliseconds bound)
      : messages_(std::move(messages)), place_(messages_->place()), bound_(bound) {}

  Place place() const override { return place_; }
  int ranks_here() const override { return messages_->ranks_here(); }

  absl::Status begin_reduce_scatter_sum(std::span<float> values) override {
    const int tag = next_tag();
    auto& sum = sums_.emplace_back();
    sum.own = part(values, stretch(values, place_.rank));
    sum.others.resize(sum.own.size() * static_cast<std::size_t>(place_.ranks - 1));
    std::size_t at = 0;
    for (int rank = 0; rank < place_.ranks; ++rank) {
      if (rank == place_.rank) continue;
      RETURN_IF_ERROR(receive(rank, tag, std::span(sum.others).subspan(at, sum.own.size())));
      RETURN_IF_ERROR(send(rank, tag, part(values, stretch(values, rank))));
      at += sum.own.size();
    }
    begun_bytes_ += sum.others.size() * sizeof(float);
    return begun_bytes_ > kReduceBytesMax ? finish() : kept(messages_->move());
  }

  absl::Status finish() override {
    RETURN_IF_ERROR(wait());
    for (const auto& sum : sums_) add(sum);
    sums_.clear();
    begun_bytes_ = 0;
    return absl::OkStatus();
  }

  absl::Status all_gather(std::span<float> values) override {
    const int tag = next_tag();
    for (int rank = 0; rank < place_.ranks; ++rank) {
      if (rank == place_.rank) continue;
      RETURN_IF_ERROR(receive(rank, tag, part(values, stretch(values, rank))));
      RETURN_IF_ERROR(send(rank, tag, part(values, stretch(values, place_.rank))));
    }
    return wait();
  }

  absl::Status all_reduce_sum(std::span<double> values) override {
    const int tag = next_tag();
    const std::vector<double> own(values.begin(), values.end());
    std::vector<std::vector<double>> all(static_cast<std::size_t>(place_.ranks), own);
    for (int rank = 0; rank < place_.ranks; ++rank) {
      if (rank == place_.rank) continue;
      RETURN_IF_ERROR(receive(rank, tag, std::span(all[static_cast<std::size_t>(rank)])));
      RETURN_IF_ERROR(send(rank, tag, std::span(own)));
    }
    RETURN_IF_ERROR(wait());
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = all[0][i];
      for (std::size_t rank = 1; rank < all.size(); ++rank) values[i] += all[rank][i];
    }
    return absl::OkStatus();
  }

  absl::Status broadcast(std::span<std::byte> bytes, int root) override {
    const int tag = next_tag();
    if (place_.rank != root) {
      RETURN_IF_ERROR(receive(root, tag, bytes));
    } else {
      for (int rank = 0; rank < place_.ranks; ++rank) {
        if (rank != root) RETURN_IF_ERROR(send(rank, tag, bytes));
      }
    }
    return wait();
  }

  void abort() override { messages_->abort(); }

 private:
  struct Sum {
    std::span<float> own;
    Numbers<float> others;  // the same stretch of the other ranks, by rank
  };

  Stretch stretch(std::span<float> values, int rank) const {
    return stretch_of(static_cast<std::int64_t>(values.size()), {rank, place_.ranks});
  }
  // The first error is what every later call says.
  absl::Status kept(const absl::Status& status) {
    if (failed_.ok()) failed_ = status;
    return failed_;
  }
  absl::Status wait() { return failed_.ok() ? kept(messages_->wait(bound_)) : failed_; }
  int next_tag() { return std::exchange(tag_, (tag_ + 1) % kMessageTags); }
  template <typename T>
  absl::Status send(int to, int tag, std::span<T> values) {
    if (values.empty() || !failed_.ok()) return failed_;
    return kept(messages_->send(to, tag, std::as_bytes(values)));
  }
  template <typename T>
  absl::Status receive(int from, int tag, std::span<T> values) {
    if (values.empty() || !failed_.ok()) return failed_;
    return kept(messages_->receive(from, tag, std::as_writable_bytes(values)));
  }
  void add(const Sum& sum) const {
    const auto size = sum.own.size();
    const float* others = sum.others.data();
    for (std::size_t i = 0; i < size; ++i) {
      const float own = sum.own[i];
      float total = place_.rank == 0 ? own : others[i];
      for (int rank = 1; rank < place_.ranks; ++rank) {
        const auto other = static_cast<std::size_t>(rank < place_.rank ? rank : rank - 1);
        total += rank == place_.rank ? own : others[other * size + i];
      }
      sum.own[i] = total;
    }
  }

  const std::unique_ptr<Messages> messages_;
  const Place place_;
  const std::chrono::milliseconds bound_;
  std::deque<Sum> sums_;
  std::size_t begun_bytes_ = 0;
  absl::Status failed_;
  int tag_ = 0;
};

}  // namespace

std::unique_ptr<Collective> collective_of(std::unique_ptr<Messages> messages,
                                          std::chrono::milliseconds bound) {
  return std::make_unique<MessageCollective>(std::move(messages), bound);
}

}  // namespace plinth::train
