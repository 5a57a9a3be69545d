// Any bytes as an export, and each line as a checkpoint's: an answer or an error. What is read as a
// checkpoint or a record says the same when it is written again, and no key that nobody trusts
// makes a checkpoint right.
#include <cstdlib>
#include <string>
#include <string_view>

#include "governance/audit/audit_record.h"
#include "governance/audit/export_check.h"

namespace {

using namespace plinth::governance;

void expect(bool condition) {
  if (!condition) std::abort();
}

void read_line(std::string_view line) {
  if (const auto one = parse_checkpoint_line(line); one.ok()) {
    expect(checkpoint_text(one->checkpoint) == one->text);
    const auto again = parse_checkpoint_line(checkpoint_line(one->text, "c2ln"));
    expect(again.ok() && again->checkpoint == one->checkpoint);
  }
  if (const auto record = parse_audit_record(line); record.ok()) {
    const auto row = to_audit_row(*record, std::string(line));
    expect(wrong_column(row, row).empty() && row.index == record->index);
    const auto again =
        to_audit_row(record->event, {record->index, record->previous}, record->time_ms);
    // Events have bounds that a text from elsewhere may not keep.
    if (again.ok() && record->index > 0) expect(parse_audit_record(again->record).ok());
  }
  if (const auto key = VerifyingKey::parse(line); key.ok()) {
    expect(VerifyingKey::parse(key->pem())->id() == key->id());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  ExportCheck own({}, true), nobodys({}, false);
  bool readable = true;
  while (!text.empty() && readable) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    read_line(line);
    readable = own.add(line, "line").ok();
    expect(nobodys.add(line, "line").ok() == readable);
  }
  if (!readable) return 0;
  const auto verdict = own.finish();
  expect(verdict.records >= 0 && (verdict.finding || verdict.sealed <= verdict.records));
  expect(nobodys.finish().checkpoints == 0);
  return 0;
}
