// Strong ids: `using BlockId = base::NamedType<int32_t, struct BlockIdTag>;`
#pragma once

#include <compare>
#include <functional>
#include <utility>

namespace plinth::base {

template <typename T, typename Tag>
class NamedType {
 public:
  constexpr NamedType() = default;
  explicit constexpr NamedType(T value) : value_(std::move(value)) {}
  constexpr const T& value() const { return value_; }
  friend constexpr auto operator<=>(const NamedType&, const NamedType&) = default;
  friend constexpr bool operator==(const NamedType&, const NamedType&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const NamedType& id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  T value_{};
};

}  // namespace plinth::base

template <typename T, typename Tag>
struct std::hash<plinth::base::NamedType<T, Tag>> {
  size_t operator()(const plinth::base::NamedType<T, Tag>& id) const {
    return std::hash<T>()(id.value());
  }
};
