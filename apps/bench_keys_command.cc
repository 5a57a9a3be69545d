// plinth bench keys: what a gateway with many keys weighs, and what the check of one takes.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "apps/bench_command.h"
#include "apps/bench_gateway_process.h"
#include "apps/bench_home.h"
#include "apps/command_line.h"
#include "apps/terminal.h"
#include "base/clock.h"
#include "base/json.h"
#include "governance/governance.h"

namespace plinth {

namespace {

// Keys that are in use at a time; a gateway remembers some thousands.
constexpr std::size_t kInUse = 5'000;
constexpr int kChecks = 500'000;
constexpr int kKeysPerTransaction = 10'000;

struct Arguments {
  int keys = 100'000;
  std::uint64_t seed = 1;
  bool json = false;
};

// Makes the keys and returns those that are used afterwards.
absl::StatusOr<std::vector<std::string>> make_keys(store::Database& database,
                                                   governance::ApiKeys& keys, int count) {
  std::vector<std::string> in_use;
  const auto every = std::max<std::size_t>(static_cast<std::size_t>(count) / kInUse, 1);
  for (int made = 0; made < count;) {
    const int end = std::min(count, made + kKeysPerTransaction);
    RETURN_IF_ERROR(database.transaction("make keys", [&](store::Sql&) -> absl::Status {
      for (; made < end; ++made) {
        governance::KeySpec spec;
        spec.project = governance::kDefaultTenant;
        spec.name = fmt::format("key {}", made);
        ASSIGN_OR_RETURN(auto key, keys.create(spec));
        if (static_cast<std::size_t>(made) % every == 0) in_use.push_back(std::move(key.text));
      }
      return absl::OkStatus();
    }));
  }
  return in_use;
}

// Microseconds of one check, on one thread.
absl::StatusOr<double> time_checks(governance::ApiKeys& keys,
                                   const std::vector<std::string>& in_use, int checks,
                                   std::uint64_t seed, const base::Clock& clock) {
  std::mt19937_64 random(seed);
  const auto begun = clock.now();
  for (int i = 0; i < checks; ++i)
    RETURN_IF_ERROR(keys.authenticate(in_use[random() % in_use.size()], "127.0.0.1").status());
  return std::chrono::duration<double, std::micro>(clock.now() - begun).count() / checks;
}

absl::Status measure(const Arguments& arguments, const std::string& home) {
  const base::RealClock clock;
  double first_us = 0, check_us = 0;
  {
    ASSIGN_OR_RETURN(const auto database, store::Database::open(home + "/plinth.db"));
    ASSIGN_OR_RETURN(const auto governance, governance::Governance::open(home, *database, clock));
    ASSIGN_OR_RETURN(const auto in_use, make_keys(*database, governance->keys(), arguments.keys));
    const auto begun = clock.now();
    for (const auto& key : in_use) RETURN_IF_ERROR(governance->keys().authenticate(key).status());
    first_us = std::chrono::duration<double, std::micro>(clock.now() - begun).count() /
               static_cast<double>(in_use.size());
    ASSIGN_OR_RETURN(check_us,
                     time_checks(governance->keys(), in_use, kChecks, arguments.seed, clock));
  }
  ASSIGN_OR_RETURN(const auto gateway, GatewayProcess::start(home, 0, ""));
  ASSIGN_OR_RETURN(const double idle_mib, gateway->memory_mib("VmRSS"));
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(base::json::object{{"bench", "keys"},
                                                        {"keys", arguments.keys},
                                                        {"check_us", check_us},
                                                        {"first_check_us", first_us},
                                                        {"idle_rss_mib", idle_mib}}));
    return absl::OkStatus();
  }
  fmt::print(
      "check    {:.2f} us of a key in use, {:.0f} us of one that is read from the database\n",
      check_us, first_us);
  fmt::print("gateway  {:.1f} MiB idle, with {} keys\n", idle_mib, arguments.keys);
  return absl::OkStatus();
}

absl::Status run(const Arguments& arguments) {
  return in_bench_home([&](const std::string& home) { return measure(arguments, home); });
}

}  // namespace

void add_bench_keys_command(Command& bench, int& exit_code) {
  auto* command =
      bench.add_subcommand("keys", "Memory of an idle gateway with many keys; the time of a check");
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  command->add_option("--keys", arguments->keys, "How many")
      ->range(1, 10'000'000)
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "Of the order in which they are checked")
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON line");
  command->callback([arguments, &exit_code] {
    const auto status = run(*arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
