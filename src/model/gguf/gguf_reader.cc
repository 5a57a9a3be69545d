#include "model/gguf/gguf_reader.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>

#include "base/units.h"
#include "model/gguf/gguf_type.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

enum ValueType : std::uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};

// A cursor that never leaves the bytes; every error names the offset.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::size_t offset() const { return offset_; }
  std::size_t left() const { return bytes_.size() - offset_; }

  absl::Status fail(std::string_view what) const {
    return base::invalid_argument(fmt::format("[gguf] byte {}: {}", offset_, what));
  }

  template <typename T>
  absl::StatusOr<T> scalar(std::string_view what) {
    if (left() < sizeof(T)) return fail(fmt::format("file ends inside {}", what));
    T value;
    std::memcpy(&value, bytes_.data() + offset_, sizeof value);
    offset_ += sizeof value;
    return value;
  }

  absl::StatusOr<std::string_view> string(std::string_view what, std::uint64_t bytes_max) {
    ASSIGN_OR_RETURN(const auto length, scalar<std::uint64_t>(what));
    if (length > bytes_max) {
      return fail(fmt::format("{} of {} bytes is over the limit of {}", what, length, bytes_max));
    }
    if (length > left()) return fail(fmt::format("file ends inside {}", what));
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + offset_, length);
    offset_ += length;
    return text;
  }

  // Of a key or a tensor: errors and logs show it, so it holds nothing but printable ASCII.
  absl::StatusOr<std::string_view> name(std::string_view what) {
    const std::size_t begin = offset_;
    ASSIGN_OR_RETURN(const auto text, string(what, kNameBytesMax));
    for (const char c : text) {
      if (c < ' ' || c > '~') {
        offset_ = begin;
        return fail(fmt::format("{} has unprintable bytes", what));
      }
    }
    return text;
  }

  // Of all arrays of the file together.
  bool take_elements(std::uint64_t count) {
    elements_ += count;  // each is at most kArrayElementsMax, and there are few keys
    return elements_ <= kArrayElementsTotalMax;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t offset_ = 0;
  std::uint64_t elements_ = 0;
};

template <typename T, typename Out>
absl::StatusOr<Out> widened(Reader& reader, std::string_view what) {
  ASSIGN_OR_RETURN(const T value, reader.scalar<T>(what));
  return static_cast<Out>(value);
}

bool is_integer(std::uint32_t type) { return type <= kInt32 || type == kUint64 || type == kInt64; }

absl::StatusOr<std::int64_t> read_integer(Reader& reader, std::uint32_t type,
                                          std::string_view what) {
  switch (type) {
    case kUint8:
      return widened<std::uint8_t, std::int64_t>(reader, what);
    case kInt8:
      return widened<std::int8_t, std::int64_t>(reader, what);
    case kUint16:
      return widened<std::uint16_t, std::int64_t>(reader, what);
    case kInt16:
      return widened<std::int16_t, std::int64_t>(reader, what);
    case kUint32:
      return widened<std::uint32_t, std::int64_t>(reader, what);
    case kInt32:
      return widened<std::int32_t, std::int64_t>(reader, what);
    case kInt64:
      return reader.scalar<std::int64_t>(what);
    default: {
      ASSIGN_OR_RETURN(const auto value, reader.scalar<std::uint64_t>(what));
      if (value > static_cast<std::uint64_t>(INT64_MAX)) return reader.fail("integer too large");
      return static_cast<std::int64_t>(value);
    }
  }
}

absl::StatusOr<GgufArray> read_array(Reader& reader, std::string_view key) {
  ASSIGN_OR_RETURN(const auto type, reader.scalar<std::uint32_t>(key));
  ASSIGN_OR_RETURN(const auto count, reader.scalar<std::uint64_t>(key));
  // Every element takes at least a byte, so the count is bounded before anything is reserved.
  if (count > kArrayElementsMax || count > reader.left() || !reader.take_elements(count)) {
    return reader.fail(fmt::format("array {} of {} elements is too long", key, count));
  }
  if (type == kString) {
    std::vector<std::string_view> texts;
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(const auto text, reader.string(key, kStringBytesMax));
      texts.push_back(text);
    }
    return GgufArray(std::move(texts));
  }
  if (type == kFloat32 || type == kFloat64) {
    std::vector<double> numbers;
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(const double value, type == kFloat32 ? (widened<float, double>(reader, key))
                                                            : reader.scalar<double>(key));
      numbers.push_back(value);
    }
    return GgufArray(std::move(numbers));
  }
  if (!is_integer(type) && type != kBool) {
    return reader.fail(fmt::format("array {} has unsupported element type {}", key, type));
  }
  std::vector<std::int64_t> integers;
  for (std::uint64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const auto value, read_integer(reader, type == kBool ? kUint8 : type, key));
    integers.push_back(value);
  }
  return GgufArray(std::move(integers));
}

absl::StatusOr<GgufValue> read_value(Reader& reader, std::string_view key) {
  ASSIGN_OR_RETURN(const auto type, reader.scalar<std::uint32_t>(key));
  switch (type) {
    case kFloat32: {
      ASSIGN_OR_RETURN(const auto value, reader.scalar<float>(key));
      return GgufValue(static_cast<double>(value));
    }
    case kFloat64: {
      ASSIGN_OR_RETURN(const auto value, reader.scalar<double>(key));
      return GgufValue(value);
    }
    case kBool: {
      ASSIGN_OR_RETURN(const auto value, reader.scalar<std::uint8_t>(key));
      if (value > 1) return reader.fail(fmt::format("{} is no boolean", key));
      return GgufValue(value == 1);
    }
    case kString: {
      ASSIGN_OR_RETURN(const auto value, reader.string(key, kStringBytesMax));
      return GgufValue(value);
    }
    case kArray: {
      ASSIGN_OR_RETURN(auto value, read_array(reader, key));
      return GgufValue(std::move(value));
    }
    default: {
      if (!is_integer(type)) return reader.fail(fmt::format("{} has unknown type {}", key, type));
      ASSIGN_OR_RETURN(const auto value, read_integer(reader, type, key));
      return GgufValue(value);
    }
  }
}

struct TensorEntry {
  std::string name;
  GgufTensor tensor;
  std::uint64_t offset = 0;  // from the start of the data section
};

absl::StatusOr<TensorEntry> read_tensor_entry(Reader& reader) {
  TensorEntry entry;
  entry.tensor.entry_offset = reader.offset();
  ASSIGN_OR_RETURN(const auto name, reader.name("tensor name"));
  entry.name = std::string(name);
  ASSIGN_OR_RETURN(const auto rank, reader.scalar<std::uint32_t>(entry.name));
  if (rank == 0 || rank > kDimensionsMax) {
    return reader.fail(fmt::format("tensor {} has {} dimensions", entry.name, rank));
  }
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    ASSIGN_OR_RETURN(const auto size, reader.scalar<std::uint64_t>(entry.name));
    const auto product = base::checked_mul(elements, size);
    if (size == 0 || size > static_cast<std::uint64_t>(INT64_MAX) || !product.has_value()) {
      return reader.fail(fmt::format("tensor {}: dimension {} is {}", entry.name, i, size));
    }
    elements = *product;
    entry.tensor.dims.push_back(static_cast<std::int64_t>(size));
  }
  ASSIGN_OR_RETURN(const auto type, reader.scalar<std::uint32_t>(entry.name));
  const auto dtype = gguf_dtype(type);
  if (!dtype.has_value()) {
    return base::unimplemented(
        fmt::format("[gguf] byte {}: tensor {} has type {}, which is not supported",
                    reader.offset() - sizeof type, entry.name, gguf_type_name(type)));
  }
  entry.tensor.dtype = *dtype;
  const auto& info = tensor::dtype_info(*dtype);
  if (entry.tensor.dims[0] % info.block_elements != 0) {
    return reader.fail(fmt::format("tensor {}: {} columns are no whole {} blocks", entry.name,
                                   entry.tensor.dims[0], info.name));
  }
  const auto bytes = base::checked_mul(elements / static_cast<std::uint64_t>(info.block_elements),
                                       static_cast<std::uint64_t>(info.block_bytes));
  if (!bytes.has_value()) return reader.fail(fmt::format("tensor {} is too large", entry.name));
  entry.tensor.bytes = *bytes;
  ASSIGN_OR_RETURN(entry.offset, reader.scalar<std::uint64_t>(entry.name));
  return entry;
}

absl::StatusOr<std::uint64_t> alignment_of(const Gguf& gguf) {
  const auto stated = gguf.integer("general.alignment");
  if (absl::IsNotFound(stated.status())) return 32;
  RETURN_IF_ERROR(stated.status());
  const auto value = static_cast<std::uint64_t>(*stated);
  if (*stated <= 0 || value > kAlignmentMax || (value & (value - 1)) != 0) {
    return gguf.fail("general.alignment",
                     fmt::format("is {}, not a power of two up to {}", *stated, kAlignmentMax));
  }
  return value;
}

absl::Status read_metadata(Reader& reader, std::uint64_t count, Gguf& gguf) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t offset = reader.offset();
    ASSIGN_OR_RETURN(const auto key, reader.name("metadata key"));
    ASSIGN_OR_RETURN(auto value, read_value(reader, key));
    gguf.key_offsets.emplace(std::string(key), offset);
    if (!gguf.metadata.emplace(std::string(key), std::move(value)).second) {
      return reader.fail(fmt::format("metadata key {} occurs twice", key));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Gguf> parse_gguf(std::span<const std::uint8_t> bytes) {
  Reader reader(bytes);
  Gguf gguf;
  ASSIGN_OR_RETURN(const auto magic, reader.scalar<std::uint32_t>("magic"));
  if (magic != 0x46554747) return base::invalid_argument("[gguf] byte 0: not a GGUF file");
  ASSIGN_OR_RETURN(gguf.version, reader.scalar<std::uint32_t>("version"));
  if (gguf.version != 2 && gguf.version != 3) {
    return reader.fail(fmt::format("version {} is not 2 or 3", gguf.version));
  }
  ASSIGN_OR_RETURN(const auto tensors, reader.scalar<std::uint64_t>("tensor count"));
  ASSIGN_OR_RETURN(const auto keys, reader.scalar<std::uint64_t>("metadata count"));
  if (tensors > kTensorsMax) return reader.fail(fmt::format("{} tensors", tensors));
  if (keys > kMetadataKeysMax) return reader.fail(fmt::format("{} metadata keys", keys));
  RETURN_IF_ERROR(read_metadata(reader, keys, gguf));
  ASSIGN_OR_RETURN(const auto alignment, alignment_of(gguf));
  std::vector<TensorEntry> entries;
  for (std::uint64_t i = 0; i < tensors; ++i) {
    ASSIGN_OR_RETURN(auto entry, read_tensor_entry(reader));
    entries.push_back(std::move(entry));
  }
  const std::uint64_t data = base::round_up<std::uint64_t>(reader.offset(), alignment);
  for (auto& entry : entries) {
    const auto begin = base::checked_add(data, entry.offset);
    const auto end = begin ? base::checked_add(*begin, entry.tensor.bytes) : std::nullopt;
    const auto wrong = [&](const std::string& what) {
      return base::invalid_argument(
          fmt::format("[gguf] byte {}: tensor {}{}", entry.tensor.entry_offset, entry.name, what));
    };
    if (entry.offset % alignment != 0) {
      return wrong(fmt::format(": offset {} is not aligned to {}", entry.offset, alignment));
    }
    if (!end.has_value() || *end > bytes.size()) {
      return wrong(fmt::format(": offset {} and {} bytes end after the file's {}", entry.offset,
                               entry.tensor.bytes, bytes.size()));
    }
    entry.tensor.data = bytes.data() + *begin;
    if (gguf.tensors.contains(entry.name)) return wrong(" occurs twice");
    gguf.tensors.emplace(entry.name, std::move(entry.tensor));
  }
  return gguf;
}

namespace {

absl::StatusOr<const GgufValue*> look_up(const Gguf& gguf, std::string_view key) {
  const auto found = gguf.metadata.find(key);
  if (found == gguf.metadata.end()) return base::not_found(fmt::format("[gguf] no {}", key));
  return &found->second;
}

}  // namespace

absl::Status Gguf::fail(std::string_view key, std::string_view what) const {
  const auto offset = key_offsets.find(key);
  if (offset == key_offsets.end()) {
    return base::invalid_argument(fmt::format("[gguf] {} {}", key, what));
  }
  return base::invalid_argument(fmt::format("[gguf] byte {}: {} {}", offset->second, key, what));
}

absl::StatusOr<std::int64_t> Gguf::integer(std::string_view key) const {
  ASSIGN_OR_RETURN(const auto* value, look_up(*this, key));
  if (const auto* found = std::get_if<std::int64_t>(value)) return *found;
  return fail(key, "is not an integer");
}

absl::StatusOr<double> Gguf::number(std::string_view key) const {
  ASSIGN_OR_RETURN(const auto* value, look_up(*this, key));
  if (const auto* found = std::get_if<double>(value)) return *found;
  if (const auto* found = std::get_if<std::int64_t>(value)) return static_cast<double>(*found);
  return fail(key, "is not a number");
}

absl::StatusOr<std::string_view> Gguf::text(std::string_view key) const {
  ASSIGN_OR_RETURN(const auto* value, look_up(*this, key));
  if (const auto* found = std::get_if<std::string_view>(value)) return *found;
  return fail(key, "is not a string");
}

absl::StatusOr<bool> Gguf::boolean(std::string_view key) const {
  ASSIGN_OR_RETURN(const auto* value, look_up(*this, key));
  if (const auto* found = std::get_if<bool>(value)) return *found;
  return fail(key, "is not a boolean");
}

template <typename T>
absl::StatusOr<const std::vector<T>*> Gguf::array(std::string_view key) const {
  ASSIGN_OR_RETURN(const auto* value, look_up(*this, key));
  if (const auto* list = std::get_if<GgufArray>(value)) {
    if (const auto* found = std::get_if<std::vector<T>>(list)) return found;
  }
  return fail(key, "is not an array of the right type");
}

template absl::StatusOr<const std::vector<std::int64_t>*> Gguf::array(std::string_view) const;
template absl::StatusOr<const std::vector<double>*> Gguf::array(std::string_view) const;
template absl::StatusOr<const std::vector<std::string_view>*> Gguf::array(std::string_view) const;

}  // namespace plinth::model
