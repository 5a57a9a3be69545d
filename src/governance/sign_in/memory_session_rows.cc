#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "governance/sessions.h"

namespace plinth::governance {

namespace {

class MemorySessionRows final : public SessionRows {
 public:
  absl::Status insert(const SessionRow& row) override {
    std::lock_guard lock(mutex_);
    if (!rows_.emplace(row.id_hash, row).second) {
      return absl::AlreadyExistsError("[sessions] the id is taken");
    }
    by_user_[user(row)].insert(row.id_hash);
    return absl::OkStatus();
  }
  absl::StatusOr<SessionRow> find(const std::string& id_hash) override {
    std::lock_guard lock(mutex_);
    const auto found = rows_.find(id_hash);
    if (found == rows_.end()) return base::not_found("[sessions] no such session");
    return found->second;
  }
  absl::Status touch(const std::string& id_hash, std::int64_t used_unix_s) override {
    std::lock_guard lock(mutex_);
    const auto found = rows_.find(id_hash);
    if (found != rows_.end()) found->second.used_unix_s = used_unix_s;
    return absl::OkStatus();
  }
  absl::Status erase(const std::string& id_hash) override {
    std::lock_guard lock(mutex_);
    const auto found = rows_.find(id_hash);
    if (found != rows_.end()) drop(found);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<SessionRow>> of_user(const std::string& issuer,
                                                  const std::string& subject) override {
    std::lock_guard lock(mutex_);
    std::vector<SessionRow> own;
    const auto found = by_user_.find({issuer, subject});
    if (found == by_user_.end()) return own;
    for (const auto& id_hash : found->second) own.push_back(rows_.at(id_hash));
    std::ranges::sort(own, {}, &SessionRow::used_unix_s);
    return own;
  }
  absl::Status erase_ended(std::int64_t used_unix_s, std::int64_t created_unix_s) override {
    std::lock_guard lock(mutex_);
    for (auto row = rows_.begin(); row != rows_.end();) {
      const auto next = std::next(row);
      if (row->second.used_unix_s <= used_unix_s || row->second.created_unix_s <= created_unix_s) {
        drop(row);
      }
      row = next;
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::size_t> count() override {
    std::lock_guard lock(mutex_);
    return rows_.size();
  }

 private:
  using Rows = std::map<std::string, SessionRow>;
  using User = std::pair<std::string, std::string>;  // issuer, subject

  static User user(const SessionRow& row) { return {row.who.issuer, row.who.subject}; }
  void drop(Rows::iterator row) {
    const auto own = by_user_.find(user(row->second));
    own->second.erase(row->first);
    if (own->second.empty()) by_user_.erase(own);
    rows_.erase(row);
  }

  std::mutex mutex_;
  // Protected by mutex_.
  Rows rows_;  // by id_hash
  std::map<User, std::set<std::string>> by_user_;
};

}  // namespace

std::unique_ptr<SessionRows> memory_session_rows() { return std::make_unique<MemorySessionRows>(); }

}  // namespace plinth::governance
