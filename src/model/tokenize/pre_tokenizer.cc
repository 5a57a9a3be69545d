#include "model/tokenize/pre_tokenizer.h"

#include <fmt/format.h>

#include "model/limits.h"
#include "model/tokenize/metaspace.h"
#include "model/tokenize/unicode.h"

namespace plinth::model {

const char* const kGpt2Expression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  while (true) {
    const auto at = text.find(from);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += to;
    text.remove_prefix(at + from.size());
  }
}

}  // namespace

absl::StatusOr<PreTokenizer> PreTokenizer::create(std::vector<PreTokenizerStep> steps) {
  if (steps.size() > kTokenizerStepsMax) {
    return base::invalid_argument(fmt::format("[tokenizer] {} pre-tokenizer steps are over {}",
                                              steps.size(), kTokenizerStepsMax));
  }
  PreTokenizer out;
  for (auto& spec : steps) {
    Step step;
    if (spec.kind == PreTokenizerStep::Kind::split) {
      if (spec.pattern.empty()) return base::invalid_argument("[tokenizer] split by nothing");
      if (spec.regex) {
        ASSIGN_OR_RETURN(auto regex, SplitRegex::compile(spec.pattern));
        step.regex.emplace(std::move(regex));
      }
    }
    step.spec = std::move(spec);
    out.steps_.push_back(std::move(step));
  }
  return out;
}

absl::Status PreTokenizer::split(std::string_view text, bool first, const Visit& visit) const {
  return run(0, text, first, visit);
}

absl::Status PreTokenizer::run(std::size_t index, std::string_view text, bool first,
                               const Visit& visit) const {
  if (text.empty()) return absl::OkStatus();
  if (index == steps_.size()) {
    visit(text);
    return absl::OkStatus();
  }
  switch (steps_[index].spec.kind) {
    case PreTokenizerStep::Kind::split:
      return split_step(index, text, first, visit);
    case PreTokenizerStep::Kind::bert:
      return bert_step(index, text, first, visit);
    case PreTokenizerStep::Kind::metaspace:
      return metaspace_step(index, text, first, visit);
    case PreTokenizerStep::Kind::prefix_space:
      if (text.starts_with(' ')) return run(index + 1, text, first, visit);
      return run(index + 1, " " + std::string(text), first, visit);
  }
  return absl::OkStatus();
}

absl::Status PreTokenizer::split_step(std::size_t index, std::string_view text, bool first,
                                      const Visit& visit) const {
  using Behavior = PreTokenizerStep::Behavior;
  const Step& step = steps_[index];
  const bool invert = step.spec.invert;
  absl::Status status;
  // A range waits until the one after it has been seen, which it may be merged with.
  std::optional<Range> held;
  const auto release = [&] {
    if (held && status.ok() && !(held->match && step.spec.behavior == Behavior::removed)) {
      status = run(index + 1, text.substr(held->begin, held->end - held->begin),
                   first && held->begin == 0, visit);
    }
    held.reset();
  };
  const auto add = [&](std::size_t begin, std::size_t end, bool match) {
    match = match != invert;
    const bool joins =
        held && ((step.spec.behavior == Behavior::contiguous && held->match == match) ||
                 (step.spec.behavior == Behavior::merged_with_previous && match && !held->match) ||
                 (step.spec.behavior == Behavior::merged_with_next && !match && held->match));
    if (joins) {
      held->end = end;
      // What a match has been merged into takes no second one.
      if (step.spec.behavior == Behavior::merged_with_previous) held->match = true;
      if (step.spec.behavior == Behavior::merged_with_next) held->match = false;
      return;
    }
    release();
    held = Range{begin, end, match};
  };
  std::size_t done = 0;
  const auto on_match = [&](std::size_t begin, std::size_t end) {
    if (begin > done) add(done, begin, false);
    if (end > begin) add(begin, end, true);
    done = end;
  };
  if (step.regex) {
    RETURN_IF_ERROR(step.regex->for_each(text, on_match));
  } else {
    const std::string& pattern = step.spec.pattern;
    for (auto at = text.find(pattern); at != std::string_view::npos;
         at = text.find(pattern, at + pattern.size())) {
      on_match(at, at + pattern.size());
    }
  }
  if (done < text.size()) add(done, text.size(), false);
  release();
  return status;
}

absl::Status PreTokenizer::bert_step(std::size_t index, std::string_view text, bool first,
                                     const Visit& visit) const {
  std::size_t word = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = first_character(text.substr(at));
    const bool space = is_white_space(c.code);
    if (space || bert_punctuation(c.code)) {
      RETURN_IF_ERROR(run(index + 1, text.substr(word, at - word), first && word == 0, visit));
      word = at + c.bytes;
      if (!space) {
        RETURN_IF_ERROR(run(index + 1, text.substr(at, c.bytes), first && at == 0, visit));
      }
    }
    at += c.bytes;
  }
  return run(index + 1, text.substr(word), first && word == 0, visit);
}

absl::Status PreTokenizer::metaspace_step(std::size_t index, std::string_view text, bool first,
                                          const Visit& visit) const {
  using Prepend = PreTokenizerStep::Prepend;
  const PreTokenizerStep& spec = steps_[index].spec;
  std::string marked = replaced(text, " ", kMetaspace);
  if ((spec.prepend == Prepend::always || (spec.prepend == Prepend::first && first)) &&
      !marked.starts_with(kMetaspace)) {
    marked.insert(0, kMetaspace);
  }
  if (!spec.split_at_spaces) return run(index + 1, marked, first, visit);
  const std::string_view all = marked;
  std::size_t done = 0;
  while (done < all.size()) {
    const auto next = std::min(all.find(kMetaspace, done + 1), all.size());
    RETURN_IF_ERROR(run(index + 1, all.substr(done, next - done), first && done == 0, visit));
    done = next;
  }
  return absl::OkStatus();
}

}  // namespace plinth::model
