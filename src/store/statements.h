// The statements that one connection has prepared, so that a transaction of many short ones spends
// its time on rows and not on parsing. Inside of the store: errors are exceptions here.
#pragma once

#include <soci/soci.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/sql.h"

namespace plinth::store {

// Bound to its values' places once; run with other values of the same types.
class PreparedStatement {
 public:
  // `columns` of text are read from each row of the answer.
  PreparedStatement(soci::session& session, std::string_view text,
                    const std::vector<SqlValue>& values, std::size_t columns);

  void set(const std::vector<SqlValue>& values);
  // True where there is a row.
  bool execute() { return statement_.execute(true); }
  bool fetch() { return statement_.fetch(); }
  std::int64_t changed() { return statement_.get_affected_rows(); }
  SqlRow row() const;

 private:
  // SOCI keeps references to what it binds: none of these ever moves.
  struct Slot {
    std::string text;
    long long number = 0;
    bool is_text = false;
    soci::indicator state = soci::i_ok;
  };
  std::vector<Slot> slots_;
  std::vector<std::string> cells_;
  std::vector<soci::indicator> states_;
  soci::statement statement_;
};

// Used by one thread at a time. Goes before its session is closed.
class Statements {
 public:
  explicit Statements(soci::session& session) : session_(session) {}

  // A statement while it runs, and nobody else's: one that runs inside of its own answer is
  // prepared once more.
  class Use {
   public:
    Use(Statements& all, std::string_view text, const std::vector<SqlValue>& values,
        std::size_t columns);
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    // Kept for the next one where it ran to its end.
    ~Use();
    PreparedStatement* operator->() { return statement_.get(); }
    void over() { over_ = true; }

   private:
    Statements& all_;
    std::string key_;
    std::unique_ptr<PreparedStatement> statement_;
    bool over_ = false;
  };

  // Between transactions: a database forgets statements only outside of one that failed.
  void drop_failed() { failed_.clear(); }
  void clear();

 private:
  soci::session& session_;
  std::map<std::string, std::unique_ptr<PreparedStatement>, std::less<>> kept_;
  std::vector<std::unique_ptr<PreparedStatement>> failed_;
};

}  // namespace plinth::store
