#include "engine/run/paged_attention.h"

#include <algorithm>

namespace plinth::engine {

namespace {

// Tokens that share one pass over the keys and values: with the query heads of a kv head enough
// rows to use each page well, and enough runs of a prompt to keep the threads busy.
constexpr int kRunTokens = 32;
// Tasks for each thread from which on they even out by themselves, and need not be cut into spans.
constexpr std::int64_t kTasksPerThread = 4;

}  // namespace

PagedAttention::PagedAttention(const RunContext& context, KvPages& pages, tensor::Isa isa)
    : context_(context),
      pages_(pages),
      kernels_(tensor::attention_kernels(isa, pages.type())),
      prompt_kernels_(tensor::bulk_attention_kernels(isa, pages.type())),
      scratch_(static_cast<std::size_t>(context.pool.size())) {}

void PagedAttention::begin(const Step& step) {
  runs_.clear();
  for (int t = 0; t < step.size(); ++t) {
    const auto& token = step.tokens[static_cast<std::size_t>(t)];
    if (!runs_.empty() && runs_.back().tokens < kRunTokens &&
        step.tokens[static_cast<std::size_t>(t) - 1].entry == token.entry) {
      ++runs_.back().tokens;
    } else {
      runs_.push_back({t, 1});
    }
  }
}

void PagedAttention::store(const PackedLayer& layer, const StepToken& token, const float* keys,
                           const float* values) {
  const int e = context_.spec.head_width;
  const BlockId block =
      token.entry->blocks[static_cast<std::size_t>(token.position / kBlockTokens)];
  for (int h = 0; h < context_.spec.kv_heads; ++h) {
    kernels_.store(keys + h * e, values + h * e, e, token.position % kBlockTokens,
                   pages_.keys(layer.index, block, h), pages_.values(layer.index, block, h));
  }
}

void PagedAttention::run(const PackedLayer& layer, const Step& step, const float* q,
                         std::int64_t ldq, float* out) {
  const Call call{layer, step, q, ldq, out};
  plan(call);
  if (spans_.empty()) {
    for_each(wholes_, [&](const Task& task, Scratch& scratch) {
      kernels_of(call, task).attend(prepare(call, task, scratch));
    });
    return;
  }
  for_each(spans_, [&](const Task& task, Scratch& scratch) {
    kernels_of(call, task)
        .sum_span(prepare(call, task, scratch), task.span, sums_.data() + task.sums);
  });
  for_each(wholes_, [&](const Task& task, Scratch& scratch) {
    kernels_of(call, task).merge(prepare(call, task, scratch), sums_.data() + task.sums);
  });
}

template <typename Body>
void PagedAttention::for_each(std::span<const Task> tasks, const Body& body) {
  const auto count = static_cast<std::int64_t>(tasks.size());
  context_.pool.parallel_for_threads(
      count, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
        for (auto i = begin; i < end; ++i) {
          body(tasks[static_cast<std::size_t>(i)], scratch_[static_cast<std::size_t>(thread)]);
        }
      });
}

void PagedAttention::plan(const Call& call) {
  const int kv_heads = context_.spec.kv_heads;
  wholes_.clear();
  spans_.clear();
  for (int run = 0; run < static_cast<int>(runs_.size()); ++run) {
    for (int head = 0; head < kv_heads; ++head) wholes_.push_back({run, head, 0, 0});
  }
  const int threads = context_.pool.size();
  if (threads == 1 || static_cast<std::int64_t>(wholes_.size()) >= kTasksPerThread * threads) {
    return;
  }
  std::size_t sums = 0;
  for (auto& whole : wholes_) {
    const auto args = shape(call, runs_[static_cast<std::size_t>(whole.run)], whole.kv_head);
    whole.sums = sums;
    for (int span = args.first_span(); span < args.end_span(); ++span) {
      spans_.push_back({whole.run, whole.kv_head, span, sums});
      sums += tensor::attention_sums_floats(args.tokens, args.group, args.head_width);
    }
  }
  if (spans_.size() == wholes_.size()) spans_.clear();
  if (sums_.size() < sums) sums_.resize(sums);
}

tensor::AttentionRun PagedAttention::shape(const Call& call, const Run& run, int kv_head) const {
  const auto& spec = context_.spec;
  tensor::AttentionRun args;
  args.group = spec.heads / spec.kv_heads;
  args.head_width = spec.head_width;
  args.ldq = call.ldq;
  args.ldo = std::int64_t{spec.heads} * spec.head_width;
  const std::int64_t column = std::int64_t{kv_head} * args.group * args.head_width;
  args.q = call.q + run.first * args.ldq + column;
  args.out = call.out + run.first * args.ldo + column;
  args.tokens = run.tokens;
  args.position = call.step.tokens[static_cast<std::size_t>(run.first)].position;
  args.window = call.layer.spec.window;
  args.scale = spec.attention_scale;
  args.softcap = spec.attention_softcap;
  return args;
}

tensor::AttentionRun PagedAttention::prepare(const Call& call, const Task& task,
                                             Scratch& scratch) const {
  const auto& run = runs_[static_cast<std::size_t>(task.run)];
  auto args = shape(call, run, task.kv_head);
  const auto& entry = *call.step.tokens[static_cast<std::size_t>(run.first)].entry;
  const int first = args.window > 0 ? std::max(0, args.position + 1 - args.window) : 0;
  const int pages = (args.position + run.tokens + kBlockTokens - 1) / kBlockTokens;
  scratch.k.resize(static_cast<std::size_t>(pages));
  scratch.v.resize(scratch.k.size());
  for (int i = first / kBlockTokens; i < pages; ++i) {
    const BlockId block = entry.blocks[static_cast<std::size_t>(i)];
    scratch.k[static_cast<std::size_t>(i)] = pages_.keys(call.layer.index, block, task.kv_head);
    scratch.v[static_cast<std::size_t>(i)] = pages_.values(call.layer.index, block, task.kv_head);
  }
  const auto floats = tensor::attention_scratch_floats(args.tokens, args.group, args.head_width);
  args.k_pages = scratch.k.data();
  args.v_pages = scratch.v.data();
  args.scratch = scratch.floats.reserve(floats);
  return args;
}

}  // namespace plinth::engine
