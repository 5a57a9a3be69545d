// What a worker's heartbeats say, as metrics of its model.
#pragma once

#include <string>

#include "base/metrics.h"
#include "protocol/codec.h"

namespace plinth::cluster {

// Sets the gauges and adds to the counters what came since `last`, which becomes `beat`. A worker
// that started anew counts from 0, and its counts are added whole; an empty beat stands for a
// worker that is gone.
void report_heartbeat(base::Metrics& metrics, const std::string& model,
                      const protocol::Heartbeat& beat, protocol::Heartbeat& last);

}  // namespace plinth::cluster
