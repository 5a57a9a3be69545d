// The one program: reads the command line and runs a subcommand.
// Exit codes: 0 fine, 1 failed, 2 usage.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string>

#include "apps/bench_command.h"
#include "apps/model_command.h"
#include "apps/up_command.h"
#include "apps/worker_command.h"

int main(int argc, char** argv) {
  CLI::App app("Plinth: the AI cloud you own", "plinth");
  app.require_subcommand(1);
  app.fallthrough();
  std::string home;
  int exit_code = 0;
  app.add_option("--home", home, "Data folder (default: PLINTH_HOME, else ~/.local/share/plinth)");
  plinth::add_model_command(app, home, exit_code);
  plinth::add_up_command(app, home, exit_code);
  plinth::add_worker_command(app, exit_code);
  plinth::add_bench_command(app, exit_code);
  app.add_subcommand("version", "Print the version")->callback([] {
    fmt::print("plinth {}\n", PLINTH_VERSION);
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return exit_code;
}
