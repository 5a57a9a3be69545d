#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "model/safetensors/safetensors_model.h"
#include "model/safetensors_reader.h"

namespace plinth::model {
namespace {

using Shape = std::vector<std::int64_t>;

std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  bytes += header;
  for (std::size_t i = 0; i < data_bytes; ++i) bytes += static_cast<char>(i);
  return bytes;
}

// A heap copy of exact size, so that the sanitizer sees a read past the end.
absl::Status parse(const std::string& bytes) {
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  return parse_safetensors(copy).status();
}

constexpr char kGood[] = R"({"__metadata__":{"format":"pt"},)"
                         R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},)"
                         R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},)"
                         R"("ids":{"dtype":"I64","shape":[],"data_offsets":[28,36]},)"
                         R"("none":{"dtype":"F16","shape":[0,7],"data_offsets":[36,36]}}   )";

TEST(Safetensors, ReadsTypesShapesAndPlaces) {
  const std::string bytes = file_of(kGood, 36);
  const auto table =
      parse_safetensors({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->size(), 4u);
  EXPECT_EQ(table->at("a").shape, (Shape{2, 3}));
  EXPECT_EQ(table->at("a").dtype, tensor::DType::f32);
  EXPECT_EQ(table->at("a").data[0], 4);
  EXPECT_EQ(table->at("a").bytes, 24u);
  EXPECT_EQ(table->at("a").offset, 8 + sizeof(kGood) - 1 + 4);
  EXPECT_EQ(table->at("b").dtype, tensor::DType::bf16);
  EXPECT_EQ(table->at("ids").type, "I64");
  EXPECT_FALSE(table->at("ids").dtype.has_value());
  EXPECT_EQ(table->at("none").bytes, 0u);
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const std::string whole = file_of(kGood, 36);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse(whole.substr(0, size)).ok()) << size;
  }
  EXPECT_TRUE(parse(whole).ok());
}

// Each entry is the header of a file with 16 bytes of data.
TEST(Safetensors, NamesTheTensorTheFieldAndTheByte) {
  const struct {
    const char *header, *named;
  } cases[] = {
      {R"([])", "byte 8: the header is no JSON object"},
      {R"({"a":1})", "byte 14: tensor a: a number where none belongs"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{}})",
       "byte 65: tensor a: occurs twice"},
      {R"({"a":{"dtype":"F32","dtype":"F32"}})", "tensor a.dtype: occurs twice"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"x":1}})",
       "tensor a.x: is no field"},
      {R"({"a":{"dtype":"F32","shape":[4]}})", "tensor a: has no data_offsets"},
      {R"({"a":{"dtype":"F32","data_offsets":[0,16]}})", "tensor a: has no shape"},
      {R"({"a":{"shape":[4],"data_offsets":[0,16]}})", "tensor a: has no dtype"},
      {R"({"a":{"dtype":"Q9","shape":[4],"data_offsets":[0,16]}})",
       "tensor a.dtype: Q9 is no known type"},
      {R"({"a":{"dtype":7}})", "tensor a.dtype: a number"},
      {R"({"a":{"dtype":["F32"]}})", "tensor a.dtype: an array"},
      {R"({"a":{"dtype":null}})", "tensor a.dtype: a null"},
      {R"({"a":{"shape":true}})", "tensor a.shape: a boolean"},
      {R"({"a":{"shape":"4"}})", "tensor a.shape: a string"},
      {R"({"a":{"shape":{"b":1}}})", "tensor a.shape: an object"},
      {R"({"a":{"shape":[[4]]}})", "tensor a.shape: an array"},
      {R"({"a":{"shape":[{"b":1}]}})", "tensor a.shape: an object"},
      {R"({"a":{"shape":["4"]}})", "tensor a.shape: a string"},
      {R"({"a":{"shape":[-4]}})", "tensor a.shape: -4 is negative"},
      {R"({"a":{"shape":[1.5]}})", "tensor a.shape: 1.5 is no whole number"},
      {R"({"a":{"shape":[18446744073709551615]}})", "is no whole number of 63 bits"},
      {R"({"a":{"shape":[1,1,1,1,1,1,1,1,1]}})", "tensor a.shape: has more than 8 numbers"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0]}})", "a.data_offsets: is not a pair"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16,16]}})",
       "a.data_offsets: has more than 2 numbers"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})",
       "shape [4611686018427387904] of F32 is too large"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}})",
       "is too large"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})", "leave the file's 16 bytes"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[1,17]}})", "leave the file's 16 bytes"},
      {R"({"a":{"dtype":"F16","shape":[4],"data_offsets":[0,16]}})",
       "hold 16 bytes, but [4] of F16 takes 8"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "8 bytes belong to no tensor"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
       "tensor a begins at byte 71: a gap"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
       R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
       "tensor b begins at byte 125: it overlaps another"},
      {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
       R"("b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
       "it overlaps another"},
      {R"({"__metadata__":"pt"})", "__metadata__: a string where none belongs"},
      {R"({"__metadata__":{"a":{}}})", "__metadata__.a: an object"},
      {R"({"__metadata__":{"a":1}})", "__metadata__.a: a number"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", "__metadata__.a: occurs twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", "__metadata__: occurs twice"},
      {R"({"a")", "[json] byte 12: incomplete"},
      {R"({} x)", "[json] byte 11: extra data"},
      {R"({"a":[[[[[[1]]]]]]})", "tensor a: an array where none belongs"},
  };
  for (const auto& c : cases) {
    const auto status = parse(file_of(c.header, 16));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.header;
    EXPECT_NE(base::message(status).find(c.named), std::string_view::npos)
        << "expected " << c.named << ", got " << status;
  }
}

TEST(Safetensors, RefusesHeaderLengthsThatTheFileBelies) {
  std::string bytes = file_of(kGood, 36);
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 20,
                                     ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    std::memcpy(bytes.data(), &length, sizeof length);
    const auto status = parse(bytes);
    EXPECT_NE(base::message(status).find("[safetensors] byte 0: a header of"),
              std::string_view::npos)
        << status;
  }
}

TEST(Safetensors, RefusesOverlongNames) {
  const std::string name(257, 'n');
  const auto status = parse(file_of("{\"" + name + "\":{}}", 0));
  EXPECT_NE(base::message(status).find("a name of 257 bytes"), std::string_view::npos) << status;
}

class SafetensorsFolder : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/plinth-safetensors-XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(base::write_file_atomic(folder_ + "/" + name, content).ok());
  }
  void write_shards() {
    write("m-1.safetensors",
          file_of(R"({"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})", 16));
    write("m-2.safetensors",
          file_of(R"({"b":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}})", 6));
  }
  void write_index(const std::string& weight_map) {
    write("model.safetensors.index.json",
          R"({"metadata":{"total_size":22,"x":[1]},"weight_map":)" + weight_map + "}");
  }
  void expect_refused(const std::string& named) {
    const auto model = SafetensorsModel::open(folder_);
    ASSERT_FALSE(model.ok()) << "expected " << named;
    EXPECT_NE(base::message(model.status()).find(named), std::string_view::npos) << model.status();
    EXPECT_NE(base::message(model.status()).find(folder_), std::string_view::npos)
        << model.status();
  }
  std::string folder_;
};

TEST_F(SafetensorsFolder, GivesViewsOfTheRightShapeAndTypeOnly) {
  write("model.safetensors", file_of(kGood, 36));
  ASSERT_TRUE(SafetensorsModel::is_model_folder(folder_));
  const auto model = SafetensorsModel::open(folder_);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto a = (*model)->matrix("a", 2, 3);
  ASSERT_TRUE(a.ok()) << a.status();
  EXPECT_EQ(a->data[0], 4);
  EXPECT_EQ(a->columns, 3);
  const auto b = (*model)->vector("b", 2);
  ASSERT_TRUE(b.ok()) << b.status();
  const std::uint32_t first = 0x01000000;  // bf16 0x0100
  EXPECT_EQ(std::memcmp(&(*b)[0], &first, 4), 0);
  const auto refused = [&](const absl::Status& status, const char* named) {
    EXPECT_NE(base::message(status).find(named), std::string_view::npos) << status;
    EXPECT_NE(base::message(status).find(folder_ + "/model.safetensors"), std::string_view::npos);
  };
  refused((*model)->matrix("a", 3, 2).status(), "has shape [2, 3], expected [3, 2]");
  refused((*model)->vector("a", 6).status(), "has shape [2, 3], expected [6]");
  refused((*model)->matrix("c", 1, 1).status(), "tensor c is missing");
  write("model.safetensors",
        file_of(R"({"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8));
  const auto integers = SafetensorsModel::open(folder_);
  ASSERT_TRUE(integers.ok());
  refused((*integers)->vector("i", 1).status(), "tensor i at byte 62 has type I64");
}

TEST_F(SafetensorsFolder, JoinsShards) {
  write_shards();
  write_index(R"({"a":"m-1.safetensors","b":"m-2.safetensors"})");
  ASSERT_TRUE(SafetensorsModel::is_model_folder(folder_));
  const auto model = SafetensorsModel::open(folder_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE((*model)->matrix("a", 2, 2).ok());
  EXPECT_TRUE((*model)->vector("b", 3).ok());
}

TEST_F(SafetensorsFolder, RefusesAnIndexThatTheShardsBelie) {
  EXPECT_FALSE(SafetensorsModel::is_model_folder(folder_));
  expect_refused("has neither");
  write_shards();
  write_index(R"({"a":"m-1.safetensors","b":"m-1.safetensors"})");
  expect_refused("tensor b is not in m-1.safetensors");
  write_index(R"({"a":"m-1.safetensors","c":"m-2.safetensors"})");
  expect_refused("tensor c is not in m-2.safetensors");
  write_index(R"({"a":"m-1.safetensors","b":"m-3.safetensors"})");
  expect_refused("m-3.safetensors: No such file");
  write("m-3.safetensors", file_of(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4));
  write_index(R"({"a":"m-1.safetensors","b":"m-3.safetensors"})");
  expect_refused("tensor a is in another shard too");
  write("m-3.safetensors", "short");
  expect_refused("m-3.safetensors: [safetensors] byte 0");
}

TEST_F(SafetensorsFolder, RefusesShardsOutsideTheFolder) {
  write_shards();
  for (const char* shard : {"../m-1.safetensors", "/etc/m-1.safetensors", "sub/m-1.safetensors",
                            ".safetensors", "..safetensors", "m-1.bin", "", "a\\\\b.safetensors"}) {
    write_index(R"({"a":")" + std::string(shard) + R"("})");
    expect_refused("weight_map.a: shard");
  }
}

TEST(SafetensorsIndex, RefusesWhatIsNoMapOfNames) {
  const struct {
    const char *json, *named;
  } cases[] = {
      {R"({})", "weight_map is missing"},
      {R"({"weight_map":[]})", "weight_map is missing"},
      {R"({"weight_map":{"a":1}})", "byte 20: weight_map.a: is no file name"},
      {R"({"weight_map":{"a":["m.safetensors"]}})", "weight_map.a: is no file name"},
      {R"({"weight_map":{"a":"m.safetensors","a":"m.safetensors"}})", "weight_map.a: occurs twice"},
      {R"({"weight_map":{"a":"m.safetensors"},"weight_map":{}})", "weight_map occurs twice"},
      {R"({"weight_map":{"a":"m.safetensors"})", "incomplete"},
      {R"({"m":[[[[[[[[[[1]]]]]]]]]]})", "too deep"},
  };
  for (const auto& c : cases) {
    const auto index = parse_safetensors_index(c.json);
    ASSERT_FALSE(index.ok()) << c.json;
    EXPECT_NE(base::message(index.status()).find(c.named), std::string_view::npos)
        << c.json << ": " << index.status();
  }
}

}  // namespace
}  // namespace plinth::model
