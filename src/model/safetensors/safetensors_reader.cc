#include "model/safetensors_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/json_events.h"
#include "base/units.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

constexpr std::size_t kLengthBytes = 8;
// Header, tensor, shape, and one more so that what is too deep is named.
constexpr std::size_t kHeaderDepthMax = 4;
constexpr std::string_view kMetadata = "__metadata__";

struct TypeInfo {
  std::string_view name;
  std::uint64_t bytes;
  std::optional<tensor::DType> dtype;
};
constexpr TypeInfo kTypes[] = {
    {"F32", 4, tensor::DType::f32},   {"F16", 2, tensor::DType::f16},
    {"BF16", 2, tensor::DType::bf16}, {"F64", 8, std::nullopt},
    {"I64", 8, std::nullopt},         {"I32", 4, std::nullopt},
    {"I16", 2, std::nullopt},         {"I8", 1, std::nullopt},
    {"U64", 8, std::nullopt},         {"U32", 4, std::nullopt},
    {"U16", 2, std::nullopt},         {"U8", 1, std::nullopt},
    {"BOOL", 1, std::nullopt},        {"F8_E4M3", 1, std::nullopt},
    {"F8_E5M2", 1, std::nullopt},
};

// The header's events as a table: depth 1 is tensor names, depth 2 their fields.
class HeaderReader final : public base::JsonEvents {
 public:
  HeaderReader(std::uint64_t data_offset, std::uint64_t data_bytes, const std::uint8_t* data,
               SafetensorsTable& table)
      : data_offset_(data_offset), data_bytes_(data_bytes), data_(data), table_(table) {}

  absl::Status begin_object() override {
    if (depth_ == 0 && !inside_) {
      inside_ = true;
      return absl::OkStatus();
    }
    if (depth_ != 0 || in_array_) return fail("an object where none belongs");
    depth_ = 1;
    fields_.clear();
    tensor_ = {};
    return absl::OkStatus();
  }
  absl::Status end_object() override {
    if (depth_ == 0) return absl::OkStatus();
    depth_ = 0;
    return name_ == kMetadata ? absl::OkStatus() : add();
  }
  absl::Status begin_array() override {
    const bool list = field_ == "shape" || field_ == "data_offsets";
    if (depth_ != 1 || name_ == kMetadata || in_array_ || !list) {
      return fail("an array where none belongs");
    }
    in_array_ = true;
    return absl::OkStatus();
  }
  absl::Status end_array() override {
    in_array_ = false;
    if (field_ == "data_offsets" && offsets_.size() != 2) return fail("is not a pair");
    return absl::OkStatus();
  }
  absl::Status key(std::string_view key) override {
    if (depth_ == 0) {
      name_ = std::string(key.substr(0, kNameBytesMax));
      field_.clear();
      if (key.size() > kNameBytesMax) {
        return fail(
            fmt::format("a name of {} bytes is over the limit of {}", key.size(), kNameBytesMax));
      }
      if (name_ == kMetadata ? std::exchange(metadata_seen_, true) : table_.contains(name_)) {
        return fail("occurs twice");
      }
      return absl::OkStatus();
    }
    field_ = std::string(key.substr(0, kNameBytesMax));
    if (!fields_.insert(field_).second) return fail("occurs twice");
    if (name_ == kMetadata) {
      if (fields_.size() > kMetadataKeysMax) return fail("is one key too many");
      return absl::OkStatus();
    }
    if (field_ != "dtype" && field_ != "shape" && field_ != "data_offsets") {
      return fail("is no field of a tensor");
    }
    if (field_ == "data_offsets") offsets_.clear();
    return absl::OkStatus();
  }
  absl::Status text(std::string_view value) override {
    if (depth_ == 1 && name_ == kMetadata) return absl::OkStatus();
    if (depth_ != 1 || in_array_ || field_ != "dtype") return fail("a string where none belongs");
    const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                    [&](const auto& known) { return known.name == value; });
    if (type == std::end(kTypes)) {
      return fail(fmt::format("{} is no known type", value.substr(0, kNameBytesMax)));
    }
    tensor_.type = std::string(value);
    tensor_.dtype = type->dtype;
    element_bytes_ = type->bytes;
    return absl::OkStatus();
  }
  absl::Status integer(std::int64_t value) override {
    if (!in_array_) return fail("a number where none belongs");
    if (value < 0) return fail(fmt::format("{} is negative", value));
    auto& list = field_ == "shape" ? tensor_.shape : offsets_;
    const std::size_t most = field_ == "shape" ? kSafetensorsDimensionsMax : 2;
    if (list.size() == most) return fail(fmt::format("has more than {} numbers", most));
    list.push_back(value);
    return absl::OkStatus();
  }
  absl::Status number(double value) override {
    return fail(fmt::format("{} is no whole number of 63 bits", value));
  }
  absl::Status boolean(bool) override { return fail("a boolean where none belongs"); }
  absl::Status null() override { return fail("a null where none belongs"); }

 private:
  absl::Status fail(std::string_view what) const {
    if (!inside_) return base::invalid_argument(fmt::format("the header: {}", what));
    const bool at_field = depth_ == 1 && !field_.empty();
    return base::invalid_argument(fmt::format("{}{}{}: {}", name_ == kMetadata ? "" : "tensor ",
                                              name_, at_field ? "." + field_ : "", what));
  }

  absl::Status add() {
    field_.clear();
    for (const char* needed : {"dtype", "shape", "data_offsets"}) {
      if (!fields_.contains(needed)) return fail(fmt::format("has no {}", needed));
    }
    if (table_.size() == kTensorsMax) return fail("is one tensor too many");
    std::optional<std::uint64_t> bytes = element_bytes_;
    for (const auto size : tensor_.shape) {
      if (bytes) bytes = base::checked_mul(*bytes, static_cast<std::uint64_t>(size));
    }
    const std::string shape =
        fmt::format("[{}] of {}", fmt::join(tensor_.shape, ", "), tensor_.type);
    if (!bytes) return fail(fmt::format("shape {} is too large", shape));
    const auto begin = static_cast<std::uint64_t>(offsets_[0]);
    const auto end = static_cast<std::uint64_t>(offsets_[1]);
    if (begin > end || end > data_bytes_) {
      return fail(fmt::format("data_offsets [{}, {}] leave the file's {} bytes of data", begin, end,
                              data_bytes_));
    }
    if (end - begin != *bytes) {
      return fail(fmt::format("data_offsets [{}, {}] hold {} bytes, but {} takes {}", begin, end,
                              end - begin, shape, *bytes));
    }
    tensor_.data = data_ + begin;
    tensor_.bytes = *bytes;
    tensor_.offset = data_offset_ + begin;
    table_.emplace(name_, std::move(tensor_));
    return absl::OkStatus();
  }

  const std::uint64_t data_offset_, data_bytes_;
  const std::uint8_t* const data_;
  SafetensorsTable& table_;

  int depth_ = 0;        // objects open inside the header's own
  bool inside_ = false;  // the header's own object
  bool in_array_ = false;
  bool metadata_seen_ = false;
  std::string name_, field_;
  std::set<std::string, std::less<>> fields_;
  SafetensorsTensor tensor_;
  std::uint64_t element_bytes_ = 0;
  std::vector<std::int64_t> offsets_;
};

// The tensors in the order of their data, each beginning where the one before ends.
absl::Status check_cover(const SafetensorsTable& table, std::uint64_t begin, std::uint64_t end) {
  std::vector<const SafetensorsTable::value_type*> order;
  for (const auto& entry : table) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->second.offset, a->second.bytes) <
           std::pair(b->second.offset, b->second.bytes);
  });
  std::uint64_t at = begin;
  for (const auto* entry : order) {
    if (entry->second.offset != at) {
      return base::invalid_argument(fmt::format(
          "[safetensors] byte {}: tensor {} begins at byte {}: {}", at, entry->first,
          entry->second.offset, entry->second.offset < at ? "it overlaps another" : "a gap"));
    }
    at += entry->second.bytes;
  }
  if (at != end) {
    return base::invalid_argument(
        fmt::format("[safetensors] byte {}: {} bytes belong to no tensor", at, end - at));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SafetensorsTable> parse_safetensors(std::span<const std::uint8_t> bytes) {
  std::uint64_t header_bytes = 0;
  if (bytes.size() < kLengthBytes) {
    return base::invalid_argument("[safetensors] byte 0: the file ends inside the header's length");
  }
  // The format is little-endian, as are the machines that this runs on.
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  const std::uint64_t most =
      std::min<std::uint64_t>(bytes.size() - kLengthBytes, kSafetensorsHeaderBytesMax);
  if (header_bytes < 2 || header_bytes > most) {
    return base::invalid_argument(fmt::format(
        "[safetensors] byte 0: a header of {} bytes is not in 2..{}", header_bytes, most));
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
                                header_bytes);
  if (header[0] != '{') {
    return base::invalid_argument("[safetensors] byte 8: the header is no JSON object");
  }
  const std::uint64_t data_offset = kLengthBytes + header_bytes;
  SafetensorsTable table;
  HeaderReader reader(data_offset, bytes.size() - data_offset, bytes.data() + data_offset, table);
  const base::JsonLimits limits{kHeaderDepthMax, kSafetensorsHeaderBytesMax};
  const auto read = base::read_json_events(header, reader, limits, kLengthBytes);
  if (!read.ok()) {
    return absl::Status(read.code(), fmt::format("[safetensors] {}", base::message(read)));
  }
  RETURN_IF_ERROR(check_cover(table, data_offset, bytes.size()));
  return table;
}

}  // namespace plinth::model
