// runtime/io_executor.h: an executor on whose thread sockets live.
#pragma once

#include <memory>
#include <string_view>

#include "runtime/executor.h"

namespace tidal::runtime {

/// Of a real runtime: its thread also runs the sockets of the endpoints that are opened on it
/// (Network::listen), so that what arrives and what leaves wakes no other. Such an endpoint is
/// destroyed after the executor has stopped. Simulated: one as all others.
std::unique_ptr<Executor> create_io_executor(ExecutorFactory& factory, std::string_view name);

}  // namespace tidal::runtime
