// plinth admin invoice, report, export, rerate, cost: from the home's database, beside the service
// or without it.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace plinth {

void add_admin_invoice(CLI::App& admin, const std::string& home, int& exit_code);
void add_admin_report(CLI::App& admin, const std::string& home, int& exit_code);
void add_admin_export(CLI::App& admin, const std::string& home, int& exit_code);
void add_admin_rerate(CLI::App& admin, const std::string& home, int& exit_code);
void add_admin_cost(CLI::App& admin, const std::string& home, int& exit_code);

}  // namespace plinth
