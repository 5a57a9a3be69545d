// The subcommands of `plinth admin`, which ask the service of the home.
#pragma once

#include <memory>
#include <string>

#include "apps/admin_client.h"
#include "apps/command_line.h"
#include "apps/terminal.h"

namespace plinth {

// `Arguments` is what every subcommand of a file may have been given; its `service` is where to.
template <typename Arguments>
class AdminTree {
 public:
  using Action = absl::Status (*)(const AdminClient&, const Arguments&);

  // The references outlive the parsing.
  AdminTree(Command& admin, const std::string& home, int& exit_code)
      : admin_(admin), home_(home), exit_code_(exit_code) {}

  Command& top() { return admin_; }

 protected:
  Command* group(const char* name, const char* doc) {
    auto* made = admin_.add_subcommand(name, doc);
    made->require_subcommand();
    return made;
  }

  Command* action(Command* parent, const char* name, const char* doc, Action run) {
    auto* command = parent->add_subcommand(name, doc);
    add_admin_flags(*command, arguments_->service);
    command->callback([arguments = arguments_, run, &home = home_, &exit_code = exit_code_] {
      const auto client = AdminClient::connect(home, arguments->service);
      const auto status = client.ok() ? run(*client, *arguments) : client.status();
      exit_code = status.ok() ? 0 : report(status);
    });
    return command;
  }

  // Shared by the callbacks that are kept.
  const std::shared_ptr<Arguments> arguments_ = std::make_shared<Arguments>();

 private:
  Command& admin_;
  const std::string& home_;
  int& exit_code_;
};

}  // namespace plinth
