#include "governance/content_stream.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "governance/content/redaction.h"
#include "governance/content/utf8.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

}  // namespace

struct ContentStream::State {
  std::unique_ptr<DetectorRun> run;
  std::string unsent;  // the text from byte `base` on
  std::size_t base = 0;
  std::size_t pushed = 0;  // bytes of the text
  std::vector<Finding> fresh;
  std::vector<Finding> blocking;  // those that begin first, all at block_begin
  std::size_t block_begin = kNone;
  Redactions redactions;
};

ContentStream::ContentStream(std::shared_ptr<const ContentFilter> filter)
    : filter_(std::move(filter)), verdict_(filter_->verdict(ContentSource::completion)) {
  if (auto run = filter_->start(ContentSource::completion)) {
    state_ = std::make_unique<State>();
    state_->run = std::move(run);
  }
}

ContentStream::~ContentStream() = default;

std::string ContentStream::push(std::string text) {
  if (state_ == nullptr) return text;
  if (blocked() || text.empty()) return {};
  state_->unsent += text;
  state_->pushed += text.size();
  state_->run->push(text, false, state_->fresh);
  return advance(false);
}

std::string ContentStream::finish() {
  if (state_ == nullptr || blocked()) return {};
  state_->run->push({}, true, state_->fresh);
  return advance(true);
}

std::string ContentStream::advance(bool last) {
  State& s = *state_;
  for (Finding& finding : s.fresh) {
    switch (filter_->effect(ContentSource::completion, finding.label)) {
      case ContentFilter::Effect::block:
        if (finding.begin > s.block_begin) break;
        if (finding.begin < s.block_begin) s.blocking.clear();
        s.block_begin = finding.begin;
        s.blocking.push_back(std::move(finding));
        break;
      case ContentFilter::Effect::redact:
        s.redactions.add({finding.label.pii, finding.begin, finding.end});
        [[fallthrough]];
      case ContentFilter::Effect::annotate:
        if (finding.begin < s.block_begin) filter_->add(finding, verdict_);
        break;
    }
  }
  s.fresh.clear();
  const std::size_t decided = last ? kNone : s.run->undecided();
  std::size_t until = std::min({decided, s.block_begin, s.pushed});
  if (until == s.pushed && !last) until -= incomplete_tail(s.unsent);
  std::string out;
  s.redactions.append_to(out, s.unsent, s.base, until);
  const std::size_t done = s.redactions.written() - s.base;
  s.unsent.erase(0, done);
  s.base += done;
  // Something that begins earlier may yet be found: then it is what ends the text.
  if (s.block_begin < decided) {
    for (const Finding& finding : s.blocking) filter_->add(finding, verdict_);
    s.unsent.clear();
  }
  return out;
}

std::size_t ContentStream::checked_bytes() const {
  return state_ == nullptr ? 0 : std::min(state_->run->undecided(), state_->pushed);
}

std::size_t ContentStream::held_bytes() const {
  return state_ == nullptr ? 0 : state_->unsent.size();
}

}  // namespace plinth::governance
