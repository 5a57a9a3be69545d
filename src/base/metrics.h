// One registry of Prometheus metrics, passed by reference to whoever counts; never a global.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace plinth::base {

using Labels = std::map<std::string, std::string>;

// Thread-safe. The returned references live as long as the Metrics.
class Metrics {
 public:
  Metrics();
  prometheus::Counter& counter(const std::string& name, const std::string& help,
                               const Labels& labels = {});
  prometheus::Gauge& gauge(const std::string& name, const std::string& help,
                           const Labels& labels = {});
  prometheus::Histogram& histogram(const std::string& name, const std::string& help,
                                   const std::vector<double>& bounds, const Labels& labels = {});
  // The text exposition format 0.0.4.
  std::string exposition() const;

 private:
  std::shared_ptr<prometheus::Registry> registry_;  // shared_ptr: prometheus-cpp's own interface
};

}  // namespace plinth::base
