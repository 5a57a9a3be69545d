#include "train/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "train/limits.h"

namespace plinth::train {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// What is wrong with a file, as far as anybody reads it.
class Complaints {
 public:
  void add(std::int64_t line, const absl::Status& status) {
    if (++count_ > kDataErrorsMax) return;
    text_ += fmt::format("{}line {}: {}", text_.empty() ? "" : "\n", line, base::message(status));
  }
  absl::Status status() const {
    if (count_ == 0) return absl::OkStatus();
    if (count_ <= kDataErrorsMax) return base::invalid_argument(text_);
    return base::invalid_argument(fmt::format("{}\nand {} more", text_, count_ - kDataErrorsMax));
  }

 private:
  std::size_t count_ = 0;
  std::string text_;
};

absl::StatusOr<Example> read_line(std::string_view line, const ExampleEncoder& encoder,
                                  const DataOptions& options, DataReport& report) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos)
    return base::invalid_argument("it is empty: take it out");
  ASSIGN_OR_RETURN(const auto record, read_record(line));
  ASSIGN_OR_RETURN(auto example, encoder.encode(record));
  const auto most = static_cast<std::size_t>(options.tokens_max);
  const bool cut = example.ids.size() > most;
  if (cut) {
    example.ids.resize(most);
    example.learnt.resize(most);
  }
  if (example.targets() == 0) {
    return base::invalid_argument(
        cut ? fmt::format("nothing of its first {} tokens is learnt: shorten what comes before",
                          most)
            : "nothing of it is learnt");
  }
  report.truncated += cut ? 1 : 0;
  return example;
}

using Key = std::pair<std::vector<std::int32_t>, std::vector<bool>>;

}  // namespace

absl::StatusOr<Dataset> Dataset::read(std::string_view text, const ExampleEncoder& encoder,
                                      const DataOptions& options) {
  if (text.size() > kDataBytesMax) {
    return base::invalid_argument(
        fmt::format("the file has {} bytes, over the limit of {}", text.size(), kDataBytesMax));
  }
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    return base::invalid_argument("line 1: it begins with a byte order mark: save it without one");
  Dataset dataset;
  Complaints complaints;
  std::set<Key> seen;
  auto& report = dataset.report_;
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    auto example = read_line(line, encoder, options, report);
    if (!example.ok()) {
      complaints.add(number, example.status());
      continue;
    }
    const auto tokens = static_cast<std::int64_t>(example->ids.size());
    report.tokens += tokens;
    report.targets += example->targets();
    report.longest = std::max(report.longest, tokens);
    if (!seen.emplace(example->ids, example->learnt).second) ++report.duplicates;
    dataset.examples_.push_back(*std::move(example));
    if (dataset.examples_.size() > kExamplesMax)
      return base::invalid_argument(fmt::format("over {} examples", kExamplesMax));
  }
  RETURN_IF_ERROR(complaints.status());
  if (dataset.examples_.empty()) return base::invalid_argument("the file has no examples");
  report.examples = static_cast<std::int64_t>(dataset.examples_.size());
  return dataset;
}

std::int64_t Dataset::shared_with(const Dataset& other) const {
  std::set<Key> ours;
  for (const auto& example : examples_) ours.emplace(example.ids, example.learnt);
  return std::count_if(other.examples_.begin(), other.examples_.end(), [&](const auto& example) {
    return ours.contains({example.ids, example.learnt});
  });
}

Batch batch_of(const std::vector<Example>& examples, const std::vector<std::size_t>& chosen) {
  Batch batch;
  for (const auto index : chosen) {
    const auto& example = examples[index];
    const auto tokens = static_cast<std::int64_t>(example.ids.size()) - 1;
    batch.documents.push_back({batch.tokens(), tokens});
    batch.ids.insert(batch.ids.end(), example.ids.begin(), example.ids.end() - 1);
    batch.targets.insert(batch.targets.end(), example.ids.begin() + 1, example.ids.end());
    for (std::size_t i = 1; i < example.learnt.size(); ++i)
      batch.weights.push_back(example.learnt[i] ? 1.0f : 0.0f);
  }
  return batch;
}

}  // namespace plinth::train
