// Machine, install and network of `plinth doctor`.
#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <sstream>
#include <thread>

#include "apps/build_info.h"
#include "apps/doctor_checks.h"
#include "apps/terminal.h"
#include "base/cpu_limit.h"
#include "base/file.h"
#include "base/memory_limit.h"
#include "base/units.h"
#include "cluster/model_puller.h"
#include "net/http_client.h"
#include "tensor/isa.h"

namespace plinth {

namespace {

using namespace base::literals;

constexpr std::uint64_t kMemoryLow = 2_GiB;  // the default model with its worker needs about 1 GiB
constexpr std::uint64_t kDiskLow = 4_GiB;    // one 7B model in 4 bits
constexpr std::uint64_t kDiskTooLow = 256_MiB;
constexpr std::chrono::seconds kReachMax{6};

Finding processor() {
  Finding finding{"machine", "processor", Verdict::ok, "", ""};
  std::string sets;
  for (const auto isa : tensor::supported_isas()) {
    sets += (sets.empty() ? "" : ", ") + std::string(tensor::isa_name(isa));
  }
  finding.detail =
      fmt::format("kernels {} (this machine runs {})", tensor::isa_name(tensor::best_isa()), sets);
  if (tensor::supported_isas().size() == 1) {
    finding.verdict = Verdict::warn;
    finding.mend = "without AVX2 answers are slow: use another machine";
  }
  return finding;
}

Finding cores() {
  const int granted = base::cpu_limit();
  const auto online = static_cast<int>(std::thread::hardware_concurrency());
  return {"machine", "cores", Verdict::ok,
          fmt::format("{} granted of {}", granted, std::max(granted, online)), ""};
}

Finding memory() {
  const auto granted = base::memory_limit_bytes();
  Finding finding{"machine", "memory", Verdict::ok, human_bytes(granted) + " granted", ""};
  if (granted < kMemoryLow) {
    finding.verdict = Verdict::warn;
    finding.mend = "small models alone fit; raise the control group's memory.max or add memory";
  }
  return finding;
}

Finding disk(const std::string& home) {
  // The home may not be made yet.
  std::filesystem::path folder = std::filesystem::path(home);
  std::error_code error;
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path()) {
    folder = folder.parent_path();
  }
  const auto space = std::filesystem::space(folder, error);
  if (error) return {"machine", "disk", Verdict::warn, error.message(), "check " + folder.string()};
  Finding finding{"machine", "disk", Verdict::ok,
                  fmt::format("{} free in {}", human_bytes(space.available), folder.string()), ""};
  if (space.available < kDiskLow) {
    finding.verdict = space.available < kDiskTooLow ? Verdict::fail : Verdict::warn;
    finding.mend = "make room (`plinth model rm NAME`) or choose another folder with --home";
  }
  return finding;
}

Finding huge_pages() {
  const auto text = base::read_file("/sys/kernel/mm/transparent_hugepage/enabled", 128);
  if (!text.ok()) return {"machine", "huge pages", Verdict::ok, "not offered by this kernel", ""};
  const auto open = text->find('[');
  const auto chosen = text->substr(open + 1, text->find(']') - open - 1);
  Finding finding{"machine", "huge pages", Verdict::ok, chosen, ""};
  if (chosen == "never") {
    finding.verdict = Verdict::warn;
    finding.mend = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled";
  }
  return finding;
}

Finding reach(const std::string& name, const std::string& url, const std::string& variable) {
  net::HttpClientOptions options;
  options.connect_max = kReachMax / 2;
  options.total_max = kReachMax;
  const auto answer = net::make_http_client(options)->get(url, {});
  // A refusal is an answer: a mirror need not serve its root.
  const bool refused =
      absl::IsNotFound(answer.status()) || absl::IsPermissionDenied(answer.status());
  if (answer.ok() || refused) return {"network", name, Verdict::ok, url + " answers", ""};
  return {"network", name, Verdict::warn, std::string(base::message(answer.status())),
          fmt::format("set https_proxy, or {} to a mirror; pulls pass over what does not answer",
                      variable)};
}

}  // namespace

std::vector<Finding> check_machine(const std::string& home) {
  return {processor(), cores(), memory(), disk(home), huge_pages()};
}

std::vector<Finding> check_install() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error).string();
  return {
      {"install", "program", Verdict::ok,
       fmt::format("plinth {}, {}, {}", kVersion, compiler_name(), program), ""},
      {"install", "libraries", Verdict::ok,
       fmt::format("glibc {}, {}", ::gnu_get_libc_version(), ::OpenSSL_version(OPENSSL_VERSION)),
       ""}};
}

std::vector<Finding> check_network() {
  const auto options = cluster::PullOptions::from_environment();
  auto hub =
      std::async(std::launch::async, reach, "Hugging Face", options.hf_endpoint, "HF_ENDPOINT");
  auto index = std::async(std::launch::async, reach, "package index",
                          options.pip_index_url + "/pip/", "PIP_INDEX_URL");
  return {hub.get(), index.get()};
}

}  // namespace plinth
