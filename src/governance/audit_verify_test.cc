// Everything that somebody who can write the database can do to the log, and which record the
// verifier names: in the database itself, and in an export of it.
#include "governance/audit_verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "governance/audit/audit_record.h"
#include "governance/audit/canonical_json.h"
#include "governance/audit/checkpoint.h"
#include "governance/audit/merkle_frontier.h"
#include "governance/audit/merkle_proof.h"
#include "governance/audit_limits.h"
#include "governance/audit_proof.h"
#include "governance/testing/audit_fixture.h"

namespace plinth::governance {
namespace {

using testing::HasSubstr;

class AuditVerifyTest : public AuditFixture {
 protected:
  // Twelve records: checkpoints of 4, 8 and 10, of which the last two are sealed by none.
  void fill() {
    append(0, 4);
    ASSERT_TRUE(log_->seal().ok());
    append(4, 8);
    ASSERT_TRUE(log_->seal().ok());
    append(8, 10);
    ASSERT_TRUE(log_->seal().ok());
    append(10, 12);
  }
  AuditVerdict verify() {
    const auto verdict = verify_audit(*database_, home_, {folder()});
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return verdict.ok() ? *verdict : AuditVerdict();
  }
  std::string export_file() {
    std::string text;
    const auto records = export_audit(*database_, home_, {folder()}, [&](std::string_view line) {
      text += std::string(line) + "\n";
      return absl::OkStatus();
    });
    EXPECT_TRUE(records.ok()) << records.status();
    const auto path = home_ + "/export.jsonl";
    EXPECT_TRUE(base::write_file_atomic(path, text).ok());
    return path;
  }
  // Both ways say the same.
  void expect(std::int64_t index, const std::string& problem) {
    for (const auto& verdict : {verify(), *verify_audit_export(export_file(), {})}) {
      ASSERT_TRUE(verdict.finding.has_value());
      EXPECT_EQ(verdict.finding->index, index) << verdict.finding->message;
      EXPECT_EQ(verdict.finding->problem, problem) << verdict.finding->message;
    }
  }
  // A record with another name in it, and the hash that belongs to it.
  void forge(std::int64_t index, const std::string& previous = "") {
    store::AuditStore store(*database_);
    auto record = *parse_audit_record(store.rows(index, 1)->at(0).record);
    record.event.details = {{"id", "forged"}};
    if (!previous.empty()) record.previous = previous;
    store::AuditHead head{index, record.previous};
    const auto forged = *to_audit_row(record.event, head, record.time_ms);
    const auto status = database_->transaction("forge", [&](store::Sql& sql) {
      sql.run("update audit_record set record = ?, hash = ?, id = ? where idx = ?",
              {forged.record, forged.hash, forged.id, index});
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
    last_hash_ = forged.hash;
  }
  std::string last_hash_;
};

INSTANTIATE_TEST_SUITE_P(Governance, AuditVerifyTest, testing::ValuesIn(store::scratch_dialects()),
                         [](const auto& backend) { return store::dialect_name(backend.param); });

TEST_P(AuditVerifyTest, AWholeLogIsWhole) {
  EXPECT_FALSE(verify().finding.has_value()) << "an empty one, too";
  fill();
  for (const auto& verdict : {verify(), *verify_audit_export(export_file(), {}),
                              *verify_audit_export(export_file(), {folder()})}) {
    EXPECT_FALSE(verdict.finding.has_value()) << verdict.finding->message;
    EXPECT_EQ(verdict.records, 12);
    EXPECT_EQ(verdict.checkpoints, 3);
    EXPECT_EQ(verdict.sealed, 10);
    EXPECT_EQ(verdict.keys.size(), 1u);
  }
}

TEST_P(AuditVerifyTest, AChangedRecord) {
  fill();
  sql("update audit_record set record = replace(record, '192.0.2.1', '192.0.2.2') where idx = 5");
  expect(5, "changed");
}

TEST_P(AuditVerifyTest, ARecordThatIsNoJsonAnyMore) {
  fill();
  sql("update audit_record set record = 'x' || record where idx = 0");
  expect(0, "changed");
}

TEST_P(AuditVerifyTest, AChangedHash) {
  fill();
  sql("update audit_record set hash = replace(hash, substr(hash, 1, 1), 'x') where idx = 11");
  expect(11, "changed");
}

TEST_P(AuditVerifyTest, AChangedColumn) {
  fill();
  sql("update audit_record set actor = 'nobody' where idx = 6");
  expect(6, "changed");
}

TEST_P(AuditVerifyTest, AChangedResource) {
  fill();
  sql("delete from audit_resource where idx = 6");
  expect(6, "changed");
}

TEST_P(AuditVerifyTest, ARecordChangedTogetherWithItsHash) {
  fill();
  forge(5);
  expect(5, "changed");
}

TEST_P(AuditVerifyTest, ASealedRecordChangedTogetherWithItsHash) {
  fill();
  forge(7);
  expect(7, "changed");
}

TEST_P(AuditVerifyTest, EverythingRewrittenFromARecordOn) {
  fill();
  forge(5);
  for (int i = 6; i < 12; ++i) forge(i, last_hash_);
  expect(4, "rewritten");
  EXPECT_THAT(verify().finding->message, HasSubstr("records 4 to 7"));
}

TEST_P(AuditVerifyTest, ADeletedRecord) {
  fill();
  sql("delete from audit_record where idx = 5");
  expect(5, "deleted");
}

TEST_P(AuditVerifyTest, ADeletedRecordWhosePlaceIsFilled) {
  fill();
  sql("delete from audit_record where idx = 0");
  for (int i = 1; i < 12; ++i)
    sql(fmt::format("update audit_record set idx = {} where idx = {}", i - 1, i));
  expect(0, "deleted");
}

TEST_P(AuditVerifyTest, RecordsInAnotherOrder) {
  fill();
  sql("update audit_record set idx = 100 where idx = 3");
  sql("update audit_record set idx = 3 where idx = 7");
  sql("update audit_record set idx = 7 where idx = 100");
  expect(3, "reordered");
}

TEST_P(AuditVerifyTest, ATruncatedLog) {
  fill();
  sql("delete from audit_record where idx >= 9");
  sql("delete from audit_checkpoint where size > 8");
  expect(9, "truncated");
  EXPECT_THAT(verify().finding->message, HasSubstr("checkpoint of 10 records"));
  sql("delete from audit_record");
  sql("delete from audit_checkpoint");
  expect(0, "truncated");
}

TEST_P(AuditVerifyTest, WhatNoCheckpointSealsMayBeCutOff) {
  fill();
  sql("delete from audit_record where idx >= 10");
  EXPECT_FALSE(verify().finding.has_value()) << "as docs/decisions/0013 says";
}

TEST_P(AuditVerifyTest, AChangedCheckpoint) {
  fill();
  sql("update audit_checkpoint set checkpoint = replace(checkpoint, ':1700', ':1800')"
      " where size = 8");
  expect(8, "checkpoint");
}

TEST_P(AuditVerifyTest, ACheckpointOfAnotherKey) {
  fill();
  ASSERT_EQ(::rename((home_ + "/secrets/audit_key").c_str(), (home_ + "/old").c_str()), 0);
  log_.reset();
  reopen();
  append(12, 13);
  ASSERT_TRUE(log_->seal().ok());
  EXPECT_FALSE(verify().finding.has_value()) << "the folder has the old key and the new one";
  const auto elsewhere = home_ + "/elsewhere";
  ASSERT_TRUE(base::make_folders(elsewhere).ok());
  const auto strict = verify_audit(*database_, home_, {elsewhere});
  ASSERT_TRUE(strict.ok()) << strict.status();
  EXPECT_THAT(strict->finding->message, HasSubstr("not known here"));
}

TEST_P(AuditVerifyTest, ACopyThatIsDamaged) {
  fill();
  for (const auto& file : std::filesystem::directory_iterator(folder())) {
    if (file.path().extension() != ".jsonl") continue;
    auto text = *base::read_file(file.path(), 1 << 20);
    text[20] = text[20] == 'x' ? 'y' : 'x';
    ASSERT_TRUE(base::write_file_atomic(file.path(), text).ok());
  }
  const auto verdict = verify();
  ASSERT_TRUE(verdict.finding.has_value());
  EXPECT_EQ(verdict.finding->problem, "checkpoint");
  EXPECT_THAT(verdict.finding->message, HasSubstr(".jsonl:1"));
}

TEST_P(AuditVerifyTest, AnExportThatIsTamperedWith) {
  fill();
  const auto path = export_file();
  const auto whole = *base::read_file(path, 1 << 20);
  const auto check = [&](const std::string& text) {
    EXPECT_TRUE(base::write_file_atomic(path, text).ok());
    return verify_audit_export(path, {folder()});
  };
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < whole.size(); at = whole.find('\n', at) + 1)
    lines.push_back(whole.substr(at, whole.find('\n', at) + 1 - at));
  ASSERT_EQ(lines.size(), 1u + 3 + 12);
  const auto joined = [](const std::vector<std::string>& parts) {
    std::string text;
    for (const auto& part : parts) text += part;
    return text;
  };
  auto other = lines;
  std::swap(other[4 + 2], other[4 + 9]);
  EXPECT_EQ(check(joined(other))->finding->index, 2);
  EXPECT_EQ(check(joined(other))->finding->problem, "reordered");
  other = lines;
  other.insert(other.begin() + 7, other[6]);
  EXPECT_EQ(check(joined(other))->finding->index, 3) << "a line twice";
  other = lines;
  other[4 + 5] = "nothing\n";
  EXPECT_EQ(check(joined(other))->finding->index, 5);
  other.resize(4 + 5);
  EXPECT_EQ(check(joined(other))->finding->problem, "truncated");
  EXPECT_EQ(check("nothing\n").status().code(), absl::StatusCode::kDataLoss);
}

TEST_P(AuditVerifyTest, AProofNeedsNoOtherRecord) {
  fill();
  const auto proof = prove_audit_record(*database_, home_, {folder()}, 6);
  ASSERT_TRUE(proof.ok()) << proof.status();
  const auto parsed = base::parse_json(*proof)->as_object();
  const auto checkpoint = *parse_checkpoint(canonical_json(parsed.at("checkpoint")));
  EXPECT_EQ(checkpoint.size, 10);
  std::vector<std::string> path;
  for (const auto& hash : parsed.at("path").as_array())
    path.push_back(absl::HexStringToBytes(std::string(hash.as_string())));
  const auto root = absl::HexStringToBytes(checkpoint.root);
  const auto record = canonical_json(parsed.at("record"));
  EXPECT_TRUE(merkle_includes(merkle_leaf(record), 6, 10, path, root));
  EXPECT_FALSE(merkle_includes(merkle_leaf(record + " "), 6, 10, path, root));
  EXPECT_EQ(parse_audit_record(record)->event.project, "proj_6");
  EXPECT_TRUE(absl::IsNotFound(prove_audit_record(*database_, home_, {folder()}, 11).status()));
  sql("delete from audit_record where idx = 3");
  EXPECT_EQ(prove_audit_record(*database_, home_, {folder()}, 6).status().code(),
            absl::StatusCode::kDataLoss);
}

// Any single bit of the records, whatever it makes of them.
TEST_P(AuditVerifyTest, AnyFlippedBitOfAnExportIsFoundInItsRecord) {
  append(0, 3);
  ASSERT_TRUE(log_->seal().ok());
  const auto path = export_file();
  const auto whole = *base::read_file(path, 1 << 20);
  const auto begin = whole.find("{\"hash\"");
  for (std::size_t at = begin; at < whole.size(); at += 7) {
    auto text = whole;
    text[at] = static_cast<char>(text[at] ^ (1 << (at % 7)));
    const auto record = std::count(whole.begin() + static_cast<std::ptrdiff_t>(begin),
                                   whole.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    ASSERT_TRUE(base::write_file_atomic(path, text).ok());
    const auto verdict = verify_audit_export(path, {});
    ASSERT_TRUE(verdict.ok()) << verdict.status();
    ASSERT_TRUE(verdict->finding.has_value()) << at << ": " << text.substr(at - 20, 40);
    EXPECT_EQ(verdict->finding->index, record) << at << ": " << text.substr(at - 20, 40);
  }
}

}  // namespace
}  // namespace plinth::governance
