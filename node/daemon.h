#pragma once

#include <memory>
#include <string>

#include "node/config.h"
#include "registry/base/result.h"

namespace outport::node {

// A running node: the registry's port and the operations port over one data folder, following the
// store. Everything that can be wrong with the configuration, the folder or the ports is told by
// Start; a store that is away is not wrong.
class Daemon {
 public:
  // The error names the thing and the mend. Blocks.
  static Result<std::unique_ptr<Daemon>> Start(const Config& config, const std::string& version);
  // REQUIRES: Stop() was called.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Stops accepting, finishes what is in flight up to a deadline, then ends everything. Blocks.
  void Stop();

 private:
  struct Body;
  explicit Daemon(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

// What `serve` would find wrong, without taking the data folder or the ports.
Result<void> CheckNode(const Config& config);

}  // namespace outport::node
