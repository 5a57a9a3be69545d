#include "apps/doctor_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "apps/command_line.h"
#include "apps/doctor_checks.h"
#include "apps/home.h"
#include "apps/terminal.h"
#include "base/json.h"

namespace plinth {

namespace {

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::warn:
      return "warn";
    case Verdict::fail:
      return "fail";
  }
  return "";
}

const char* style_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "32";
    case Verdict::warn:
      return "33";
    case Verdict::fail:
      return "31";
  }
  return "0";
}

void print_for_people(const std::vector<Finding>& findings) {
  for (const auto& finding : findings) {
    fmt::print("{} {:<8} {:<21} {}\n",
               styled(fmt::format("{:<4}", name_of(finding.verdict)), style_of(finding.verdict),
                      Stream::out),
               finding.area, finding.name, finding.detail);
    if (!finding.mend.empty()) fmt::print("     -> {}\n", finding.mend);
  }
}

void print_as_json(const std::vector<Finding>& findings, bool healthy) {
  base::json::array checks;
  for (const auto& finding : findings) {
    checks.push_back({{"area", finding.area},
                      {"name", finding.name},
                      {"verdict", name_of(finding.verdict)},
                      {"detail", finding.detail},
                      {"mend", finding.mend}});
  }
  fmt::print("{}\n", base::to_json(base::json::object{{"healthy", healthy}, {"checks", checks}}));
}

}  // namespace

void add_doctor_command(Command& app, const std::string& home, int& exit_code) {
  auto* command = app.add_subcommand(
      "doctor", "Check machine, install, home, network and service; say how to mend");
  const auto json = std::make_shared<bool>(false);  // shared by the callback that is kept
  command->add_flag("--json", *json, "One JSON document on stdout");
  command->callback([json, &home, &exit_code] {
    const auto folder = find_home(home);
    if (!folder.ok()) {
      exit_code = report(folder.status());
      return;
    }
    std::vector<Finding> findings = check_machine(*folder);
    for (auto more : {check_install(), check_home(*folder), check_models(*folder), check_network(),
                      check_service(*folder)}) {
      findings.insert(findings.end(), std::make_move_iterator(more.begin()),
                      std::make_move_iterator(more.end()));
    }
    const bool healthy = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.verdict == Verdict::fail;
    });
    if (*json) {
      print_as_json(findings, healthy);
    } else {
      print_for_people(findings);
    }
    exit_code = healthy ? 0 : 1;
  });
}

}  // namespace plinth
