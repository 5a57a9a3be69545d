// The packed products against this machine's own ceilings. A product can be no faster than reading
// its weights from memory, nor than its integer operations at the rate of the unit that does them:
// the larger of the two times is the ceiling.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "apps/bench_command.h"
#include "apps/command_line.h"
#include "apps/terminal.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "tensor/ceilings.h"
#include "tensor/linear.h"

namespace plinth {

namespace {

using tensor::DType;
using tensor::Probe;

struct BenchKernelsArguments {
  int threads = 0;
  std::vector<int> tokens = {1, 2, 8, 32, 128, 512};
  std::vector<std::string> types = {"q4_1", "q8_0"};
  std::string model = "smollm2";
  // Copies of a matrix together: larger than the caches, so that decoding reads memory as it does
  // in a whole model.
  int weight_mib = 96;
  bool json = false;
};

struct Shape {
  const char* name;
  std::int64_t rows, columns;
};

// The products of one layer, and of SmolLM2-135M and Llama 3.2 1B.
const std::map<std::string, std::vector<Shape>>& shapes() {
  static const std::map<std::string, std::vector<Shape>> table = {
      {"smollm2",
       {{"qkv", 960, 576}, {"o", 576, 576}, {"gate_up", 3072, 576}, {"down", 576, 1536}}},
      {"1b",
       {{"qkv", 3072, 2048}, {"o", 2048, 2048}, {"gate_up", 16384, 2048}, {"down", 2048, 8192}}}};
  return table;
}

absl::StatusOr<DType> parse_type(const std::string& name) {
  if (const auto dtype = tensor::dtype_named(name)) return *dtype;
  return base::invalid_argument(name + ": no such weight type; for example q4_1, q8_0, q4_k");
}

// One product is measured for this long.
constexpr double kSecondsMin = 0.05;

// Before anything is measured.
absl::Status check_types(const std::vector<std::string>& types, const std::vector<Shape>& all) {
  for (const auto& type : types) {
    ASSIGN_OR_RETURN(const DType dtype, parse_type(type));
    const int block = tensor::dtype_info(dtype).block_elements;
    for (const auto& shape : all) {
      if (shape.columns % block == 0) continue;
      return base::invalid_argument(
          fmt::format("{} has blocks of {}, which {} x {} does not fill: "
                      "take --shapes 1b",
                      type, block, shape.rows, shape.columns));
    }
  }
  return absl::OkStatus();
}

class KernelBench {
 public:
  KernelBench(int threads, const base::Clock& clock) : pool_(threads), clock_(clock) {}

  base::ThreadPool& pool() { return pool_; }

  absl::Status pack(DType dtype, const Shape& shape, std::uint64_t bytes_min) {
    std::mt19937 random(1);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(shape.rows) *
                                    tensor::row_bytes(dtype, shape.columns));
    // Small positive fp16 scales wherever they lie; speed does not depend on the values.
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(0x20 + random() % 8);
    const tensor::MatrixView view{bytes.data(), dtype, shape.rows, shape.columns};
    copies_.clear();
    std::uint64_t total = 0;
    while (total < bytes_min) {
      ASSIGN_OR_RETURN(
          auto linear,
          tensor::pack_linear({&view, 1}, {tensor::best_isa(), tensor::LinearMode::fast, &pool_}));
      total += linear->bytes();
      copies_.push_back(std::move(linear));
    }
    return absl::OkStatus();
  }

  std::size_t weight_bytes() const { return copies_[0]->bytes(); }

  // Seconds of one product, activations included: the best of a few stretches.
  double product(tensor::Rows rows) {
    const int m = rows.count;
    const auto& first = *copies_[0];
    std::vector<float> x(static_cast<std::size_t>(m * first.columns()), 0.5f);
    std::vector<float> y(static_cast<std::size_t>(m * first.rows()));
    double best = 1e9;
    std::size_t next = 0;
    for (int stretch = 0; stretch < 3; ++stretch) {
      int done = 0;
      const auto start = clock_.now();
      double seconds = 0;
      for (; seconds < kSecondsMin / 3; ++done, next = (next + 1) % copies_.size()) {
        copies_[next]->prepare(x.data(), first.columns(), rows, activations_, pool_);
        copies_[next]->multiply(activations_, m, y.data(), first.rows(), pool_);
        seconds = std::chrono::duration<double>(clock_.now() - start).count();
      }
      best = std::min(best, seconds / done);
    }
    return best;
  }

 private:
  base::ThreadPool pool_;
  const base::Clock& clock_;
  tensor::Activations activations_;
  std::vector<std::unique_ptr<tensor::PackedLinear>> copies_;
};

// Whether the set multiplies bulk rows in a way of its own.
bool has_bulk() { return tensor::best_isa() == tensor::Isa::amx; }

// The unit that multiplies this type's integers.
Probe arithmetic_of(DType dtype, bool bulk) {
  const auto isa = tensor::best_isa();
  if (bulk) return Probe::bf16_amx;
  if (isa == tensor::Isa::scalar || tensor::dtype_info(dtype).block_elements == 1) {
    return Probe::fma_f32;
  }
  if (isa >= tensor::Isa::avx512) return Probe::int8_vnni;
  const bool bytes = dtype == DType::q8_0 || dtype == DType::iq4_nl || dtype == DType::iq4_xs;
  return bytes ? Probe::int8_signed : Probe::int8_in_int16;
}

// What is measured goes into the document and, unless that is all that is wanted, onto the screen.
class KernelReport {
 public:
  KernelReport(const BenchKernelsArguments& arguments, int threads, const base::Clock& clock)
      : arguments_(arguments), clock_(clock), bench_(threads, clock) {
    document_["isa"] = std::string(tensor::isa_name(tensor::best_isa()));
    document_["threads"] = threads;
    if (!arguments.json) {
      fmt::print("{}, {} threads\n", tensor::isa_name(tensor::best_isa()), threads);
    }
  }

  void ceilings() {
    base::json::object all;
    base::ThreadPool one(1);
    for (const Probe probe : tensor::probes_of(tensor::best_isa())) {
      const double single = tensor::measure(probe, one, clock_);
      const double rate = ceilings_[probe] = tensor::measure(probe, bench_.pool(), clock_);
      const std::string name(tensor::probe_name(probe));
      all[name] = {{"one_thread", single}, {"all_threads", rate}};
      if (arguments_.json) continue;
      fmt::print("{:<14} {:>8.1f} {} one thread {:>8.1f} all\n", name, single / 1e9,
                 tensor::probe_counts_bytes(probe) ? "GB/s " : "Gop/s", rate / 1e9);
    }
    document_["ceilings"] = all;
  }

  absl::Status products(const std::vector<Shape>& shapes) {
    if (!arguments_.json) {
      fmt::print("\n{:<6} {:<8} {:>6} {:>6} {:>10} {:>10} {:>8} {:>8} {:>9}\n", "type", "shape",
                 "rows", "cols", "m", "us", "GB/s", "Gop/s", "ceiling");
    }
    for (const auto& type : arguments_.types) {
      ASSIGN_OR_RETURN(const DType dtype, parse_type(type));
      for (const auto& shape : shapes) {
        RETURN_IF_ERROR(
            bench_.pack(dtype, shape, static_cast<std::uint64_t>(arguments_.weight_mib) << 20));
        for (const int m : arguments_.tokens) {
          product(type, dtype, shape, m, false);
          if (has_bulk()) product(type, dtype, shape, m, true);
        }
      }
    }
    document_["products"] = rows_;
    if (arguments_.json) fmt::print("{}\n", base::to_json(document_));
    return absl::OkStatus();
  }

 private:
  void product(const std::string& type, DType dtype, const Shape& shape, int m, bool bulk) {
    const double seconds = bench_.product(bulk ? tensor::Rows(m, 0) : tensor::Rows(m));
    const auto bytes = static_cast<double>(bench_.weight_bytes());
    const double operations =
        2.0 * m * static_cast<double>(shape.rows) * static_cast<double>(shape.columns);
    const double floor = std::max(bytes / ceilings_[Probe::dram_read],
                                  operations / ceilings_[arithmetic_of(dtype, bulk)]);
    rows_.push_back({{"type", type},
                     {"shape", shape.name},
                     {"rows", shape.rows},
                     {"columns", shape.columns},
                     {"m", m},
                     {"bulk", bulk},
                     {"seconds", seconds},
                     {"of_ceiling", floor / seconds}});
    if (arguments_.json) return;
    fmt::print("{:<6} {:<8} {:>6} {:>6} {:>10} {:>10.1f} {:>8.1f} {:>8.1f} {:>7.0f} %\n", type,
               shape.name, shape.rows, shape.columns, fmt::format("{}{}", m, bulk ? " bulk" : ""),
               seconds * 1e6, bytes / seconds / 1e9, operations / seconds / 1e9,
               100 * floor / seconds);
  }

  const BenchKernelsArguments& arguments_;
  const base::Clock& clock_;
  KernelBench bench_;
  std::map<Probe, double> ceilings_;
  base::json::object document_;
  base::json::array rows_;
};

absl::Status bench_kernels(const BenchKernelsArguments& arguments) {
  const auto found = shapes().find(arguments.model);
  if (found == shapes().end()) {
    return base::invalid_argument(arguments.model + ": no such shapes; smollm2 or 1b");
  }
  RETURN_IF_ERROR(check_types(arguments.types, found->second));
  const int threads = arguments.threads > 0
                          ? arguments.threads
                          : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const base::RealClock clock;
  KernelReport report(arguments, threads, clock);
  report.ceilings();
  return report.products(found->second);
}

}  // namespace

void add_bench_kernels_command(Command& bench, int& exit_code) {
  auto* command = bench.add_subcommand(
      "kernels", "Each packed product as a share of this machine's measured ceiling");
  const auto arguments =
      std::make_shared<BenchKernelsArguments>();  // shared by the callback that is kept
  command->add_option("--threads", arguments->threads, "Compute threads (0 = all)")->range(0, 1024);
  command->add_option("--tokens", arguments->tokens, "Rows of x")
      ->range(1, 1 << 16)
      ->expected(1, 16);
  command->add_option("--types", arguments->types, "Weight types")->expected(1, 15);
  command->add_option("--weight-mib", arguments->weight_mib, "Weights read in turn, MiB")
      ->range(1, 1 << 16);
  command->add_option("--shapes", arguments->model, "smollm2 or 1b");
  command->add_flag("--json", arguments->json, "One JSON document on stdout");
  command->callback([arguments, &exit_code] {
    const auto status = bench_kernels(*arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
