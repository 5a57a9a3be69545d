#include "train/agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace plinth::train {

namespace {

constexpr char kAgreed[] = "plinth/agreed";
constexpr std::size_t kMessageBytesMax = 1u << 14;

absl::StatusOr<std::string> text_of(Collective& ranks, int root, const std::string& mine) {
  const bool has = ranks.place().rank == root;
  double size = has ? static_cast<double>(mine.size()) : 0;
  RETURN_IF_ERROR(ranks.all_reduce_sum({&size, 1}));
  std::string text = mine;
  text.resize(static_cast<std::size_t>(size));
  RETURN_IF_ERROR(ranks.broadcast(std::as_writable_bytes(std::span(text)), root));
  return text;
}

}  // namespace

absl::Status agree(Collective& ranks, const absl::Status& mine) {
  const auto place = ranks.place();
  std::vector<double> codes(static_cast<std::size_t>(place.ranks));
  codes[static_cast<std::size_t>(place.rank)] = static_cast<double>(mine.code());
  RETURN_IF_ERROR(ranks.all_reduce_sum(codes));
  const auto first =
      std::find_if(codes.begin(), codes.end(), [](double code) { return code != 0; });
  if (first == codes.end()) return absl::OkStatus();
  const int rank = static_cast<int>(first - codes.begin());
  const auto own = std::string(base::message(mine)).substr(0, kMessageBytesMax);
  ASSIGN_OR_RETURN(const auto text, text_of(ranks, rank, own));
  absl::Status agreed(static_cast<absl::StatusCode>(static_cast<int>(*first)),
                      base::to_absl(rank == 0 ? text : fmt::format("rank {}: {}", rank, text)));
  agreed.SetPayload(kAgreed, {});
  return agreed;
}

bool is_agreed(const absl::Status& status) { return status.GetPayload(kAgreed).has_value(); }

absl::StatusOr<bool> any(Collective& ranks, bool mine) {
  double count = mine ? 1 : 0;
  RETURN_IF_ERROR(ranks.all_reduce_sum({&count, 1}));
  return count > 0;
}

absl::Status agree_on(Collective& ranks, const std::string& text, std::string_view what) {
  ASSIGN_OR_RETURN(const auto expected, text_of(ranks, 0, text));
  if (text == expected) return agree(ranks, absl::OkStatus());
  return agree(ranks, base::failed_precondition(
                          fmt::format("its {} is {}, and rank 0's is {}", what, text, expected)));
}

}  // namespace plinth::train
