// plinth admin invoice, report, export, rerate, cost: from the home's database, beside the service
// or without it.
#pragma once

#include <string>

namespace plinth {

class Command;

void add_admin_invoice(Command& admin, const std::string& home, int& exit_code);
void add_admin_report(Command& admin, const std::string& home, int& exit_code);
void add_admin_export(Command& admin, const std::string& home, int& exit_code);
void add_admin_rerate(Command& admin, const std::string& home, int& exit_code);
void add_admin_cost(Command& admin, const std::string& home, int& exit_code);

}  // namespace plinth
