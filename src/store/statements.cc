#include "store/statements.h"

#include <fmt/format.h>

#include <stdexcept>

#include "store/limits.h"

namespace plinth::store {

namespace {

// SOCI names its parameters. No statement of ours has a "?" that is no parameter.
std::string with_names(std::string_view text, std::size_t values) {
  std::string out;
  std::size_t at = 0;
  for (const char c : text) {
    if (c == '?') {
      fmt::format_to(std::back_inserter(out), ":v{}", at++);
    } else {
      out += c;
    }
  }
  if (at != values) {
    throw std::logic_error(fmt::format("{} values for {} marks: {}", values, at, text));
  }
  return out;
}

bool is_text(const SqlValue& value) { return !std::holds_alternative<std::int64_t>(value); }

// What a prepared statement is good for: its text and the types of its values.
std::string key_of(std::string_view text, const std::vector<SqlValue>& values,
                   std::size_t columns) {
  std::string key = fmt::format("{}|", columns);
  for (const auto& value : values) key += is_text(value) ? 't' : 'n';
  key += text;
  return key;
}

}  // namespace

PreparedStatement::PreparedStatement(soci::session& session, std::string_view text,
                                     const std::vector<SqlValue>& values, std::size_t columns)
    : slots_(values.size()), cells_(columns), states_(columns, soci::i_null), statement_(session) {
  // As text: what SOCI makes of an integer depends on how the column was declared.
  for (std::size_t i = 0; i < columns; ++i) statement_.exchange(soci::into(cells_[i], states_[i]));
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto& slot = slots_[i];
    slot.is_text = is_text(values[i]);
    const std::string name = fmt::format("v{}", i);
    if (slot.is_text) {
      statement_.exchange(soci::use(slot.text, slot.state, name));
    } else {
      statement_.exchange(soci::use(slot.number, slot.state, name));
    }
  }
  statement_.alloc();
  statement_.prepare(with_names(text, values.size()));
  statement_.define_and_bind();
}

void PreparedStatement::set(const std::vector<SqlValue>& values) {
  if (values.size() != slots_.size()) throw std::logic_error("a row has other columns");
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto& slot = slots_[i];
    if (slot.is_text != is_text(values[i])) throw std::logic_error("a row has other types");
    if (const auto* number = std::get_if<std::int64_t>(&values[i])) slot.number = *number;
    if (const auto* string = std::get_if<std::string>(&values[i])) slot.text = *string;
    // PostgreSQL has no such text, and its client library would end it there.
    if (slot.is_text && slot.text.find('\0') != std::string::npos)
      throw std::invalid_argument("a text holds a zero byte (\\u0000)");
    slot.state = std::holds_alternative<std::nullptr_t>(values[i]) ? soci::i_null : soci::i_ok;
  }
}

SqlRow PreparedStatement::row() const {
  std::vector<std::optional<std::string>> row(cells_.size());
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    if (states_[i] == soci::i_ok) row[i] = cells_[i];
  }
  return SqlRow(std::move(row));
}

Statements::Use::Use(Statements& all, std::string_view text, const std::vector<SqlValue>& values,
                     std::size_t columns)
    : all_(all), key_(key_of(text, values, columns)) {
  auto kept = all_.kept_.extract(key_);
  statement_ = kept.empty()
                   ? std::make_unique<PreparedStatement>(all_.session_, text, values, columns)
                   : std::move(kept.mapped());
  statement_->set(values);
}

Statements::Use::~Use() {
  if (!over_) {
    all_.failed_.push_back(std::move(statement_));
  } else if (key_.size() <= kKeptStatementBytesMax) {
    // Rare: what is asked often is soon there again.
    if (all_.kept_.size() >= kKeptStatementsMax) all_.kept_.clear();
    all_.kept_[std::move(key_)] = std::move(statement_);
  }
}

void Statements::clear() {
  kept_.clear();
  failed_.clear();
}

}  // namespace plinth::store
