#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/escaping.h"
#include "base/file.h"
#include "governance/sealed_file.h"
#include "governance/vault/file_format.h"
#include "governance/vault/sealed_box.h"

namespace plinth::governance {
namespace {

const SealedFor kPlace{"org", "proj", "file", "file-1"};

DataKey new_key() {
  return {std::string(32, 'a'),
          std::make_shared<const KeyBytes>(*KeyBytes::make(system_random_bytes))};
}

// NIST's GCM test case 16 (McGrew and Viega): AES-256 with associated data.
TEST(Aead, IsTheStandardsAes256Gcm) {
  const auto bytes = [](const char* hex) { return absl::HexStringToBytes(hex); };
  Aead aead(
      *KeyBytes::of(bytes("feffe9928665731c6d6a8f9467308308"
                          "feffe9928665731c6d6a8f9467308308")));
  const auto plain = bytes(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
  std::string sealed;
  aead.seal(bytes("cafebabefacedbaddecaf888"), bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
            plain, sealed);
  EXPECT_EQ(absl::BytesToHexString(sealed),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b");
}

// Salt and info of RFC 5869's first case. Its input key has 22 bytes and ours have 32, so that what
// is expected comes from Python's hmac module: extract, then the first block of expand.
TEST(DeriveKey, IsHkdfOverSha256) {
  const auto key = *KeyBytes::of(std::string(32, '\x0b'));
  const auto derived = derive_key(key, absl::HexStringToBytes("000102030405060708090a0b0c"),
                                  absl::HexStringToBytes("f0f1f2f3f4f5f6f7f8f9"));
  EXPECT_EQ(absl::BytesToHexString(base::to_absl(derived.view())),
            "d4100799f26a09615a72af3e58fa3841a2ff20d5ace3fb392e562e207fe6b718");
}

TEST(SealedBox, OpensOnlyWhereItBelongs) {
  const auto key = new_key();
  const std::string id(kKeyIdBytes, 'k');
  const auto box = *seal_box(*key.bytes, id, kPlace, "body", system_random_bytes);
  EXPECT_EQ(*box_key_id(box), id);
  EXPECT_EQ(*open_box(*key.bytes, kPlace, box), "body");
  for (auto other :
       {SealedFor{"other", "proj", "file", "file-1"}, SealedFor{"org", "other", "file", "file-1"},
        SealedFor{"org", "proj", "other", "file-1"}, SealedFor{"org", "proj", "file", "file-2"},
        // The same letters, cut elsewhere.
        SealedFor{"orgp", "roj", "file", "file-1"}}) {
    EXPECT_TRUE(absl::IsDataLoss(open_box(*key.bytes, other, box).status()));
  }
  EXPECT_TRUE(absl::IsDataLoss(open_box(*new_key().bytes, kPlace, box).status()));
}

TEST(SealedBox, NotOneBitMayChange) {
  const auto key = new_key();
  const auto box =
      *seal_box(*key.bytes, std::string(kKeyIdBytes, 'k'), kPlace, "body", system_random_bytes);
  for (std::size_t bit = 0; bit < box.size() * 8; ++bit) {
    auto changed = box;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(open_box(*key.bytes, kPlace, changed).ok()) << bit;
  }
  for (std::size_t length = 0; length < box.size(); ++length)
    EXPECT_FALSE(open_box(*key.bytes, kPlace, box.substr(0, length)).ok());
  EXPECT_FALSE(open_box(*key.bytes, kPlace, box + '\0').ok());
}

TEST(SealedBox, NeverLooksTheSameTwice) {
  const auto key = new_key();
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const auto box =
        *seal_box(*key.bytes, std::string(kKeyIdBytes, 'k'), kPlace, "body", system_random_bytes);
    EXPECT_TRUE(seen.insert(box.substr(kBoxHeadBytes)).second);
  }
}

class SealedFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "sealed_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/file";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // In pieces that do not end where chunks do.
  void write(const std::string& plain, std::size_t piece = 10'007) {
    auto writer = SealedFileWriter::open(path_, key_, kPlace, system_random_bytes);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (std::size_t at = 0; at < plain.size(); at += piece)
      ASSERT_TRUE(writer->write(std::string_view(plain).substr(at, piece)).ok());
    ASSERT_TRUE(writer->finish(SealedFileWriter::Place::replace).ok());
    EXPECT_EQ(writer->plain_bytes(), plain.size());
  }
  absl::StatusOr<std::string> read() {
    ASSIGN_OR_RETURN(const auto reader, SealedFileReader::open(path_, key_, kPlace));
    return reader.read(0, reader.plain_bytes() + 1);
  }
  std::string bytes() { return *base::read_file(path_, 64u << 20); }
  void put(const std::string& bytes) {
    ASSERT_TRUE(base::write_file_atomic(path_, bytes, 0600).ok());
  }
  static std::string text(std::size_t length) {
    std::string made(length, '\0');
    for (std::size_t i = 0; i < length; ++i) made[i] = static_cast<char>((i * 31 + i / 251) & 0xff);
    return made;
  }

  std::string folder_, path_;
  const DataKey key_ = new_key();
};

TEST_F(SealedFile, ReadsWhatWasWrittenWhateverTheLength) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, kChunkBytes - 1, kChunkBytes,
                                   kChunkBytes + 1, 3 * kChunkBytes, 3 * kChunkBytes + 5}) {
    write(text(length));
    const auto plain = read();
    ASSERT_TRUE(plain.ok()) << length << plain.status();
    EXPECT_TRUE(*plain == text(length)) << length;
  }
}

TEST_F(SealedFile, ReadsFromAnyPlace) {
  const auto plain = text(3 * kChunkBytes + 5);
  write(plain);
  const auto reader = *SealedFileReader::open(path_, key_, kPlace);
  EXPECT_EQ(reader.plain_bytes(), plain.size());
  for (const auto& [at, count] : {std::pair{std::size_t{0}, std::size_t{1}},
                                  {kChunkBytes - 1, 2},
                                  {kChunkBytes, kChunkBytes},
                                  {5, 3 * kChunkBytes},
                                  {plain.size() - 1, 10},
                                  {plain.size(), 1},
                                  {7, 0}}) {
    EXPECT_TRUE(*reader.read(at, count) == plain.substr(at, count)) << at;
  }
}

TEST_F(SealedFile, HoldsNothingPlainAndIsItsOwnersAlone) {
  write(std::string(kChunkBytes * 2, 'x') + "canary");
  EXPECT_EQ(bytes().find("canary"), std::string::npos);
  EXPECT_EQ(bytes().find(std::string(16, 'x')), std::string::npos);
  EXPECT_EQ(std::filesystem::status(path_).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(SealedFile, TruncationAtAnyPlaceIsFound) {
  write(text(3 * kChunkBytes + 5));
  const auto whole = bytes();
  // Between chunks, within one, in the head, of everything.
  for (const std::size_t length :
       {kFileHeadBytes + kSealedChunkBytes, kFileHeadBytes + 2 * kSealedChunkBytes,
        kFileHeadBytes + 3 * kSealedChunkBytes, whole.size() - 1, kFileHeadBytes + 100,
        kFileHeadBytes, std::size_t{10}, std::size_t{0}}) {
    put(whole.substr(0, length));
    EXPECT_TRUE(absl::IsDataLoss(read().status())) << length;
  }
}

TEST_F(SealedFile, AppendedMovedAndForeignChunksAreFound) {
  write(text(3 * kChunkBytes + 5));
  const auto whole = bytes();
  const auto chunk = [&](std::size_t number) {
    return whole.substr(kFileHeadBytes + number * kSealedChunkBytes, kSealedChunkBytes);
  };
  const auto head = whole.substr(0, kFileHeadBytes);
  const auto last = whole.substr(kFileHeadBytes + 3 * kSealedChunkBytes);
  put(whole + last);
  EXPECT_TRUE(absl::IsDataLoss(read().status())) << "the last chunk twice";
  put(head + chunk(0) + chunk(1) + chunk(2) + chunk(0) + last);
  EXPECT_TRUE(absl::IsDataLoss(read().status())) << "one more";
  put(head + chunk(1) + chunk(0) + chunk(2) + last);
  EXPECT_TRUE(absl::IsDataLoss(read().status())) << "two that changed places";
  put(head + chunk(0) + chunk(2) + last);
  EXPECT_TRUE(absl::IsDataLoss(read().status())) << "one less";
  put(whole);
  EXPECT_TRUE(read().ok());
  // The same file written again has another salt.
  write(text(3 * kChunkBytes + 5));
  const auto second = bytes();
  put(second.substr(0, kFileHeadBytes) + chunk(0) +
      second.substr(kFileHeadBytes + kSealedChunkBytes));
  EXPECT_TRUE(absl::IsDataLoss(read().status())) << "one of another file";
}

TEST_F(SealedFile, BelongsToOnePlaceAndOneKey) {
  write("body");
  EXPECT_EQ(*sealed_file_key(path_), key_.id);
  EXPECT_TRUE(absl::IsDataLoss(
      SealedFileReader::open(path_, key_, {"org", "proj", "file", "file-2"}).status()));
  EXPECT_TRUE(absl::IsDataLoss(SealedFileReader::open(path_, new_key(), kPlace).status()));
  auto changed = bytes();
  changed[kFileMagic.size()] ^= 1;  // the key's id
  put(changed);
  EXPECT_TRUE(absl::IsDataLoss(read().status()));
}

TEST_F(SealedFile, OpensByAKeyOfItsOwnAndNoOtherFileDoes) {
  const auto plain = text(kChunkBytes + 5);
  write(plain);
  std::string asked;
  const auto find = [&](const std::string& id) -> absl::StatusOr<DataKey> {
    asked = id;
    return key_;
  };
  const auto key = file_key(path_, find, kPlace);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(asked, key_.id);
  const auto sent = to_bytes(*key);
  EXPECT_EQ(sent.find(key_.bytes->view()), std::string::npos) << "not what opens the others";
  EXPECT_TRUE(read_sealed_file(path_, sent)->text() == plain);
  // Sealed anew under the same data key, as under any other.
  write(plain);
  EXPECT_TRUE(absl::IsAborted(read_sealed_file(path_, sent).status()));
  EXPECT_TRUE(absl::IsAborted(SealedFileReader::open(path_, *key).status()));
  EXPECT_TRUE(read_sealed_file(path_, to_bytes(*file_key(path_, find, kPlace)))->text() == plain);
}

TEST_F(SealedFile, DamageIsNoFileThatWasSealedAnew) {
  write("body");
  const auto sent = to_bytes(*file_key(
      path_, [&](const auto&) { return key_; }, kPlace));
  auto changed = bytes();
  changed.back() ^= 1;
  put(changed);
  EXPECT_TRUE(absl::IsDataLoss(read_sealed_file(path_, sent).status()));
  put("no sealed file, and of no such length, but as long as a head is: 48 bytes and a tag's 16");
  EXPECT_TRUE(absl::IsDataLoss(read_sealed_file(path_, sent).status()));
}

TEST(FileKeyBytes, AreReadBackOrRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(parse_file_key("").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(parse_file_key(std::string(200, 'x')).status()));
  const auto head = file_head(std::string(kKeyIdBytes, 'i'), std::string(kSaltBytes, 's'));
  EXPECT_TRUE(absl::IsInvalidArgument(parse_file_key(head + std::string(31, 'k')).status()));
  const auto whole = head + std::string(32, 'k') + "bound";
  const auto key = parse_file_key(whole);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->head, head);
  EXPECT_EQ(key->bound_to, "bound");
  EXPECT_EQ(to_bytes(*key), whole);
}

TEST_F(SealedFile, ANewFileTakesNoOthersPlace) {
  write("first");
  auto writer = *SealedFileWriter::open(path_, key_, kPlace, system_random_bytes);
  ASSERT_TRUE(writer.write("second").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(writer.finish()));
  EXPECT_EQ(*read(), "first");
}

TEST_F(SealedFile, WhatIsNotFinishedIsNotThere) {
  write("first");
  {
    auto writer = *SealedFileWriter::open(path_, key_, kPlace, system_random_bytes);
    ASSERT_TRUE(writer.write(text(3 * kChunkBytes)).ok());
  }
  EXPECT_EQ(*read(), "first");
  const auto files = std::distance(std::filesystem::directory_iterator(folder_),
                                   std::filesystem::directory_iterator());
  EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace plinth::governance
