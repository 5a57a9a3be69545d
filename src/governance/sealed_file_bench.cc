// What reading a sealed adapter costs whoever loads it: 20 MiB, which is rank 16 over all matrices
// of a model of a billion weights.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

#include "governance/sealed_storage.h"

namespace plinth::governance {

namespace {

constexpr std::size_t kBytes = 20u << 20;

std::string new_folder() {
  auto pattern = (std::filesystem::temp_directory_path() / "sealed_bench_XXXXXX").string();
  return ::mkdtemp(pattern.data());
}

void BM_ReadSealedAdapter(benchmark::State& state) {
  const auto folder = new_folder();
  const auto storage = *SealedStorage::open(folder, std::string(kStorageKeyBytes, 'k'));
  if (!storage->write(folder + "/file", std::string(kBytes, 'x')).ok()) std::abort();
  for (auto _ : state) {
    const auto file = storage->read(folder + "/file");
    if (!file.ok() || file->bytes().size() != kBytes) std::abort();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kBytes));
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_ReadSealedAdapter)->Unit(benchmark::kMillisecond);

// To be compared with: a checkpoint is written beside the steps.
void BM_WriteSealedAdapter(benchmark::State& state) {
  const auto folder = new_folder();
  const auto storage = *SealedStorage::open(folder, std::string(kStorageKeyBytes, 'k'));
  const std::string body(kBytes, 'x');
  for (auto _ : state)
    if (!storage->write(folder + "/file", body).ok()) std::abort();
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kBytes));
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_WriteSealedAdapter)->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace plinth::governance
