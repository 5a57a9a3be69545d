// A row of the ledger as a CloudEvents 1.0 object: what metering tools take in.
#pragma once

#include <string>

#include "base/json.h"
#include "governance/device_cost.h"
#include "store/ledger_table.h"

namespace plinth::governance {

// `source` (a URI reference) names the installation; (source, id) is an event's own, so that
// whoever gets one twice counts it once. type is "plinth.usage.settle", ".adjust", ".credit" or
// ".commitment", whose data says unit_seconds in place of choices; subject the project. `cost` is
// what its device time cost, null where no cost was declared for that time.
base::json::object to_cloud_event(const store::LedgerRow& row, const std::string& source,
                                  const DeviceCosts& costs);

}  // namespace plinth::governance
