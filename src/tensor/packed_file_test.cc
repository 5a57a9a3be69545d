#include "tensor/packed_file.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "tensor/linear.h"
#include "tensor/packed_store.h"
#include "tensor/quantize.h"

namespace plinth::tensor {
namespace {

namespace fs = std::filesystem;

class PackedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("packed_file_test_" + std::to_string(::getpid()));
    fs::create_directory(folder_);
    path_ = folder_ / "model.packed";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::shared_ptr<PackedFile> open() const {
    auto file = PackedFile::open(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    return std::make_shared<PackedFile>(*std::move(file));
  }
  void overwrite(std::size_t offset, std::string_view bytes) const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  fs::path folder_, path_;
};

using Bytes = std::vector<std::uint8_t>;

// A stored matrix of random weights.
struct Stored {
  Stored(DType dtype, std::int64_t rows, std::int64_t columns, unsigned seed)
      : bytes(static_cast<std::size_t>(rows) * row_bytes(dtype, columns)),
        view{bytes.data(), dtype, rows, columns} {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> row(static_cast<std::size_t>(columns));
    for (std::int64_t r = 0; r < rows; ++r) {
      for (float& value : row) value = normal(random);
      quantize_row(dtype, row.data(),
                   &bytes[static_cast<std::size_t>(r) * row_bytes(dtype, columns)], columns);
    }
  }
  Bytes bytes;
  MatrixView view;
};

std::vector<float> product(const MatrixView& view, const std::shared_ptr<PackedStore>& store) {
  base::ThreadPool pool(2);
  LinearOptions options;
  options.isa = best_isa();
  options.pool = &pool;
  options.store = store;
  const auto packed = pack_linear({&view, 1}, options);
  EXPECT_TRUE(packed.ok()) << packed.status();
  std::vector<float> x(static_cast<std::size_t>(view.columns), 0.5f),
      y(static_cast<std::size_t>(view.rows));
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] = -1;
  Activations activations;
  (*packed)->prepare(x.data(), view.columns, 1, activations, pool);
  (*packed)->multiply(activations, 1, y.data(), view.rows, pool);
  return y;
}

TEST_F(PackedFileTest, KeepsWhatWasWritten) {
  const Bytes a(100, 1), b(3 << 20, 2);
  const PackedEntry entries[] = {{a.size(), {1}}, {b.size(), {2}}};
  const std::span<const std::uint8_t> weights[] = {a, b};
  ASSERT_TRUE(open()->write(entries, weights).ok());
  const auto file = open();
  ASSERT_EQ(file->entries().size(), 2u);
  EXPECT_EQ(file->entries()[1], entries[1]);
  base::ThreadPool pool(2);
  Bytes read(b.size());
  ASSERT_TRUE(file->read(1, read, &pool).ok());
  EXPECT_EQ(read, b);
  read.resize(a.size());
  ASSERT_TRUE(file->read(0, read, nullptr).ok());
  EXPECT_EQ(read, a);
}

TEST_F(PackedFileTest, WhatIsNoPackedFileHasNoEntries) {
  EXPECT_TRUE(open()->entries().empty());
  const Bytes a(100, 1);
  const PackedEntry entries[] = {{a.size(), {1}}};
  const std::span<const std::uint8_t> weights[] = {a};
  const std::string lies[] = {std::string(1, 'x'), std::string(8, '\xff'), std::string(8, '\x7f'),
                              std::string(8, '\2')};
  const std::size_t fields[] = {0, 16, 24, 32};  // magic, version, table, entries
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(open()->write(entries, weights).ok());
    ASSERT_EQ(open()->entries().size(), 1u);
    overwrite(fields[i], lies[i]);
    EXPECT_TRUE(open()->entries().empty()) << "field at " << fields[i];
  }
  ASSERT_TRUE(open()->write(entries, weights).ok());
  overwrite(4096 + 100, std::string(8, '\xff'));  // the entry's size
  EXPECT_TRUE(open()->entries().empty());
}

TEST_F(PackedFileTest, AFileCutShortIsAnError) {
  const Bytes a(1 << 20, 1);
  const PackedEntry entries[] = {{a.size(), {1}}};
  const std::span<const std::uint8_t> weights[] = {a};
  ASSERT_TRUE(open()->write(entries, weights).ok());
  const auto file = open();
  fs::resize_file(path_, 5000);
  Bytes read(a.size());
  EXPECT_EQ(file->read(0, read, nullptr).code(), absl::StatusCode::kDataLoss);
}

TEST_F(PackedFileTest, AFullDiskIsAnErrorWithTheName) {
  auto full = PackedFile::open("/dev/full");
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_TRUE(full->entries().empty());
  const Bytes a(100, 1);
  const PackedEntry entries[] = {{a.size(), {1}}};
  const std::span<const std::uint8_t> weights[] = {a};
  const auto status = full->write(entries, weights);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("/dev/full"), std::string::npos) << status;
}

TEST_F(PackedFileTest, AStoreFindsThePackedMatricesAndPacksWhatChanged) {
  const Stored a(DType::q4_0, 40, 64, 1), b(DType::f16, 24, 32, 2), c(DType::q8_0, 16, 64, 3);
  std::vector<std::vector<float>> products;
  {
    const auto store = std::make_shared<PackedStore>(open());
    for (const auto* stored : {&a, &b, &c}) products.push_back(product(stored->view, store));
    EXPECT_EQ(store->found(), 0u);
    ASSERT_TRUE(store->keep().ok());
  }
  {
    const auto store = std::make_shared<PackedStore>(open());
    std::size_t i = 0;
    for (const auto* stored : {&a, &b, &c}) EXPECT_EQ(product(stored->view, store), products[i++]);
    EXPECT_EQ(store->found(), 3u);
    const auto before = fs::last_write_time(path_);
    ASSERT_TRUE(store->keep().ok());
    EXPECT_EQ(fs::last_write_time(path_), before);
  }
  const Stored other(DType::f16, 24, 32, 4);
  const auto store = std::make_shared<PackedStore>(open());
  EXPECT_EQ(product(a.view, store), products[0]);
  EXPECT_NE(product(other.view, store), products[1]);
  EXPECT_EQ(product(c.view, store), products[2]);
  EXPECT_EQ(store->found(), 2u);
  ASSERT_TRUE(store->keep().ok());
  const auto again = std::make_shared<PackedStore>(open());
  EXPECT_EQ(product(a.view, again), products[0]);
  EXPECT_NE(product(other.view, again), products[1]);
  EXPECT_EQ(again->found(), 2u);
}

TEST_F(PackedFileTest, NamesTellModelsApart) {
  EXPECT_EQ(model_cache_name("/a/model.gguf").substr(0, 11), "model.gguf-");
  EXPECT_NE(model_cache_name("/a/model.gguf"), model_cache_name("/b/model.gguf"));
}

// A file of another kPackedVersion is ignored. Whoever changes a packed form sees this fail: raise
// the version, and write the new digest here.
TEST_F(PackedFileTest, TheFormsAreThoseOfThisVersion) {
  {
    const auto store = std::make_shared<PackedStore>(open());
    for (const DType dtype :
         {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0, DType::q3_k, DType::q4_k,
          DType::q5_k, DType::q6_k, DType::iq4_xs, DType::f16, DType::bf16, DType::f32}) {
      const Stored stored(dtype, 20, 256, 9);
      (void)product(stored.view, store);
    }
    ASSERT_TRUE(store->keep().ok());
  }
  const auto file = open();
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> hash(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  for (std::size_t i = 0; i < file->entries().size(); ++i) {
    Bytes read(file->entries()[i].bytes);
    ASSERT_TRUE(file->read(i, read, nullptr).ok());
    EVP_DigestUpdate(hash.get(), read.data(), read.size());
  }
  std::uint8_t digest[32];
  EVP_DigestFinal_ex(hash.get(), digest, nullptr);
  std::string hex;
  for (int i = 0; i < 8; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += {kDigits[digest[i] >> 4], kDigits[digest[i] & 15]};
  }
  EXPECT_EQ(hex, "65bc2e4134aa0074");
}

}  // namespace
}  // namespace plinth::tensor
