#include "store/cost_store.h"

namespace plinth::store {

absl::StatusOr<std::vector<DeviceCostRow>> CostStore::costs() {
  std::vector<DeviceCostRow> rows;
  RETURN_IF_ERROR(database_.read("read device costs", [&](Sql& sql) {
    rows.clear();
    sql.each("select effective_s, device_hour_pico, devices from device_cost order by effective_s",
             {}, 3, [&](const SqlRow& row) {
               rows.push_back({row.integer(0), row.integer(1), row.integer(2)});
             });
    return absl::OkStatus();
  }));
  return rows;
}

absl::Status CostStore::insert(const DeviceCostRow& row) {
  return database_.transaction("insert a device cost", [&](Sql& sql) {
    sql.run("insert into device_cost (effective_s, device_hour_pico, devices) values (?,?,?)",
            {row.effective_s, row.device_hour_pico, row.devices});
    return absl::OkStatus();
  });
}

}  // namespace plinth::store
