#include "store/ledger_writer.h"

#include <iterator>
#include <utility>

namespace plinth::store {

namespace {

// Between tries while the database is away.
constexpr std::chrono::milliseconds kPause{200};

}  // namespace

LedgerWriter::LedgerWriter(UsageStore& usage, const base::Clock& clock)
    : usage_(usage), clock_(clock), thread_([this] { run(); }) {}

LedgerWriter::~LedgerWriter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void LedgerWriter::append(LedgerRow row, Committed committed, std::optional<Lease> lease) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(
        {std::move(row), std::move(committed), clock_.now() + kAwayMax, std::move(lease)});
  }
  changed_.notify_all();
}

void LedgerWriter::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.empty() && !busy_; });
}

void LedgerWriter::write(std::span<Waiting> group, std::vector<Waiting>& again) {
  std::vector<LedgerRow> rows;
  rows.reserve(group.size());
  for (auto& waiting : group) rows.push_back(waiting.row);
  const auto status = usage_.append(rows, group.front().lease);
  const bool lapsed = absl::IsFailedPrecondition(status);
  // Of rows whose lease lapsed those stand that no budget pays.
  if (lapsed && group.size() > 1) {
    for (std::size_t i = 0; i < group.size(); ++i) write(group.subspan(i, 1), again);
    return;
  }
  const auto now = clock_.now();
  for (auto& waiting : group) {
    if (status.ok() || lapsed || now >= waiting.until) {
      waiting.committed(status);
    } else {
      again.push_back(std::move(waiting));
    }
  }
}

std::vector<LedgerWriter::Waiting> LedgerWriter::write(std::vector<Waiting> group) {
  std::vector<Waiting> again;
  const std::span all(group);
  for (std::size_t at = 0; at < group.size();) {
    std::size_t end = at + 1;
    while (end < group.size() && group[end].lease == group[at].lease) ++end;
    write(all.subspan(at, end - at), again);
    at = end;
  }
  return again;
}

void LedgerWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto group = std::exchange(waiting_, {});
    busy_ = true;
    lock.unlock();
    auto again = write(std::move(group));
    lock.lock();
    busy_ = false;
    const bool away = !again.empty();
    waiting_.insert(waiting_.begin(), std::make_move_iterator(again.begin()),
                    std::make_move_iterator(again.end()));
    changed_.notify_all();
    if (!away) continue;
    // Whoever stops does not wait for a database that is away.
    if (stopping_) {
      for (auto& waiting : std::exchange(waiting_, {})) {
        waiting.committed(base::unavailable("[ledger] the database is away"));
      }
      return;
    }
    changed_.wait_for(lock, kPause, [&] { return stopping_; });
  }
}

}  // namespace plinth::store
