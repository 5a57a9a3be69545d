// How a gateway deals with the database: one transaction for everything that its requests wait for,
// will need soon, or leave idle.
#include <algorithm>

#include "base/log.h"
#include "governance/limits.h"
#include "governance/quota/admission_impl.h"

namespace plinth::governance {

namespace {

// A new lease, what is asked under it, and once more where that is lost at once.
constexpr int kRounds = 3;

}  // namespace

std::vector<Admission::Impl::Asked> Admission::Impl::collect(bool& is_due) {
  std::lock_guard lock(mutex);
  const auto now = machine.now();
  has_work = false;
  // Whoever cannot be told keeps what it has. Who is alone tells nobody, but shows what is in use.
  if (!is_away && now - ticked >= kBlockTick) {
    ticked = now;
    book.each([&](const QuotaPtr& quota) {
      if (options.is_shared || quota->is_provisioned()) quota->tick();
    });
  }
  std::vector<QuotaPtr> quotas;
  book.each([&](const QuotaPtr& quota) { quotas.push_back(quota); });
  for (auto& waiter : waiters) {
    want(*waiter.hold, waiter.wish);
    // Those too that were removed meanwhile.
    for (const auto* some : {&waiter.hold->limits, &waiter.hold->budgets})
      quotas.insert(quotas.end(), some->begin(), some->end());
  }
  std::sort(quotas.begin(), quotas.end());
  quotas.erase(std::unique(quotas.begin(), quotas.end()), quotas.end());
  std::vector<Asked> asked;
  for (auto& quota : quotas) {
    if (auto offer = quota->offer(now)) asked.push_back({std::move(quota), *offer, std::nullopt});
  }
  // Gateways take their locks in one order.
  std::sort(asked.begin(), asked.end(),
            [](const auto& a, const auto& b) { return a.quota->key() < b.quota->key(); });
  is_due = !asked.empty() || is_away || closed || now >= lease_until ||
           now - lease_from >= kLeaseRenewal;
  return asked;
}

bool Admission::Impl::apply(const absl::StatusOr<store::LeaseStore::Answer>& answer,
                            std::vector<Asked>& asked, base::TimePoint begun) {
  std::lock_guard lock(mutex);
  is_away = !answer.ok();
  if (is_away) return false;
  const auto now = machine.now();
  clock.set(answer->now_ms, now);
  lease_from = begun;
  lease_until = begun + store::kLease - kLeaseMargin;
  if (answer->is_new) {
    if (lease.epoch > 0)
      LOG(warn, "this gateway's lease lapsed; what it held of limits went to the others");
    lease = answer->lease;
    book.each([](const QuotaPtr& quota) { quota->lapse(); });
    return true;
  }
  for (auto& one : asked) {
    one.deal ? one.quota->apply(*one.deal, now) : one.quota->remove();
  }
  return false;
}

absl::Status Admission::Impl::exchange() {
  std::lock_guard alone(exchanging);
  absl::Status status;
  for (int round = 0; round < kRounds; ++round) {
    bool is_due = false;
    auto asked = collect(is_due);
    if (!is_due) break;
    std::vector<store::QuotaKey> keys;
    for (const auto& one : asked) keys.push_back(one.quota->key());
    const auto begun = machine.now();
    const auto answer =
        leases.exchange(lease, keys, [&](std::size_t i, const store::QuotaState& state) {
          auto& one = asked[i];
          store::QuotaChange change;
          one.deal = deal(one.quota->shape(), state, one.offer, change);
          return change;
        });
    status = answer.status();
    if (!apply(answer, asked, begun)) break;
  }
  answer_waiters();
  return status;
}

void Admission::Impl::run() {
  std::unique_lock lock(mutex);
  bool was_away = false;
  while (!stopping) {
    const auto pause = is_away ? base::Duration(kAwayRetry) : base::Duration(kBlockTick);
    changed.wait_for(lock, pause, [&] { return stopping || (has_work && !is_away); });
    if (stopping) return;
    lock.unlock();
    const auto status = exchange();
    if (!status.ok() && !was_away) LOG(warn, "limits cannot be leased: {}", status.ToString());
    was_away = !status.ok();
    lock.lock();
    changed.wait_for(lock, kExchangeGap, [&] { return stopping; });
  }
}

void Admission::start() {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

absl::Status Admission::exchange() { return impl_->exchange(); }

void Admission::refuse_waiting() { impl_->refuse_waiting(); }

void Admission::close() {
  bool is_away = false;
  {
    std::lock_guard lock(impl_->mutex);
    if (std::exchange(impl_->closed, true)) return;
    impl_->stopping = true;
    is_away = impl_->is_away;
    impl_->book.each([](const QuotaPtr& quota) { quota->retire(); });
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
  impl_->answer_waiters();
  // What nobody can be told comes back when the lease lapses.
  if (is_away || !impl_->exchange().ok()) return;
  const auto status = impl_->leases.release(impl_->lease);
  if (!status.ok()) LOG(warn, "the lease of limits stays until it lapses: {}", status.ToString());
}

}  // namespace plinth::governance
