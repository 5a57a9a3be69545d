#include "governance/audit/export_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "governance/audit/canonical_json.h"
#include "governance/audit_limits.h"

namespace plinth::governance {

namespace {

using Object = base::json::object;

constexpr char kKey[] = "key", kCheckpoint[] = "checkpoint", kRecord[] = "record";

std::string text_of(const Object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

// Canonical JSON has none, and would write it as something else.
bool has_double(const base::json::value& value) {
  if (const auto* array = value.if_array())
    return std::any_of(array->begin(), array->end(), has_double);
  if (const auto* object = value.if_object()) {
    return std::any_of(object->begin(), object->end(),
                       [](const auto& member) { return has_double(member.value()); });
  }
  return value.is_double();
}

// The row that a line was written from; one with an empty record where it cannot be told.
store::AuditRow row_of(const Object& line, std::int64_t next) {
  store::AuditRow row;
  row.index = next;
  const auto* index = line.if_contains("index");
  if (text_of(line, "kind") != kRecord || index == nullptr || !index->is_int64()) return row;
  row.index = index->get_int64();
  const auto* record = line.if_contains("record");
  if (record == nullptr || has_double(*record)) return row;
  const auto text = canonical_json(*record);
  if (const auto parsed = parse_audit_record(text); parsed.ok()) row = to_audit_row(*parsed, text);
  row.index = index->get_int64();
  // What the database's other columns said is not in an export: that it was not this is.
  row.hash = line.contains("wrong_column") ? "" : text_of(line, "hash");
  return row;
}

}  // namespace

std::string export_line(const VerifyingKey& key) {
  return canonical_json(Object{{"kind", kKey}, {"id", key.id()}, {"public_key", key.pem()}});
}

std::string export_line(const SignedCheckpoint& checkpoint) {
  return fmt::format("{{\"checkpoint\":{},\"kind\":\"{}\",\"signature\":\"{}\"}}", checkpoint.text,
                     kCheckpoint, checkpoint.signature);
}

std::string export_line(const store::AuditRow& row) {
  const auto hash = canonical_json(base::json::string(row.hash));
  const auto record = parse_audit_record(row.record);
  if (!record.ok()) {
    return canonical_json(Object{
        {"damaged", row.record}, {"hash", row.hash}, {"index", row.index}, {"kind", kRecord}});
  }
  // Of a record that stands in another's place the columns are that one's.
  const auto column =
      record->index == row.index ? wrong_column(row, to_audit_row(*record, row.record)) : "";
  return fmt::format("{{\"hash\":{},\"index\":{},\"kind\":\"{}\",\"record\":{}{}}}", hash,
                     row.index, kRecord, row.record,
                     column.empty() ? "" : fmt::format(",\"wrong_column\":\"{}\"", column));
}

void ExportCheck::add_record(const Object& line) {
  if (chain_ == nullptr) chain_ = std::make_unique<ChainCheck>(set_.right());
  for (; unreadable_ > 0; --unreadable_) chain_->add(row_of({}, next_++));
  chain_->add(row_of(line, next_++));
}

absl::Status ExportCheck::add_head(const Object& line, std::string_view kind,
                                   const std::string& where) {
  const bool known = kind == kKey || kind == kCheckpoint;
  if (known ? unreadable_ > 0 : !begun_) {
    return base::data_loss(
        fmt::format("{}: no line of an export", known ? unreadable_where_ : where));
  }
  if (!known) {
    if (unreadable_++ == 0) unreadable_where_ = where;
    return absl::OkStatus();
  }
  if (kind == kCheckpoint) {
    set_.add_line(canonical_json(line), where);
    return absl::OkStatus();
  }
  auto key = VerifyingKey::parse(text_of(line, "public_key"));
  if (!key.ok()) return base::data_loss(fmt::format("{}: no public key", where));
  if (own_keys_) set_.trust(*std::move(key));
  return absl::OkStatus();
}

absl::Status ExportCheck::add(std::string_view line, const std::string& where) {
  base::JsonLimits limits;
  limits.depth_max = kAuditDepthMax + 1;
  limits.bytes_max = kAuditLineBytesMax;
  const auto parsed = base::parse_json(line, limits);
  const Object object = parsed.ok() && parsed->is_object() ? parsed->get_object() : Object();
  const auto kind = text_of(object, "kind");
  if (chain_ == nullptr && kind != kRecord) {
    const auto status = add_head(object, kind, where);
    begun_ = begun_ || status.ok();
    return status;
  }
  begun_ = true;
  add_record(object);
  return absl::OkStatus();
}

AuditVerdict to_verdict(ChainCheck& chain, const CheckpointSet& set) {
  AuditVerdict verdict;
  verdict.finding = chain.finish();
  if (!verdict.finding) verdict.finding = set.finding();
  verdict.records = chain.size();
  verdict.head = chain.head();
  const auto right = set.right();
  verdict.checkpoints = static_cast<std::int64_t>(right.size());
  verdict.sealed = right.empty() ? 0 : right.back().size;
  for (const auto& [id, key] : set.keys()) verdict.keys.push_back(id);
  return verdict;
}

AuditVerdict ExportCheck::finish() {
  if (chain_ == nullptr) chain_ = std::make_unique<ChainCheck>(set_.right());
  for (; unreadable_ > 0; --unreadable_) chain_->add(row_of({}, next_++));
  return to_verdict(*chain_, set_);
}

}  // namespace plinth::governance
