#include "apps/version_command.h"

#include <fmt/format.h>

#include <memory>

#include "apps/build_info.h"
#include "apps/command_line.h"
#include "base/json.h"
#include "tensor/isa.h"

namespace plinth {

void add_version_command(Command& app) {
  auto* command = app.add_subcommand("version", "Print version, compiler and instruction set");
  const auto json = std::make_shared<bool>(false);  // shared by the callback that is kept
  command->add_flag("--json", *json, "One JSON document on stdout");
  command->callback([json] {
    const auto isa = tensor::isa_name(tensor::best_isa());
    if (*json) {
      fmt::print("{}\n", base::to_json(base::json::object{
                             {"version", kVersion}, {"compiler", compiler_name()}, {"isa", isa}}));
    } else {
      fmt::print("plinth {} ({}, {} kernels)\n", kVersion, compiler_name(), isa);
    }
  });
}

}  // namespace plinth
