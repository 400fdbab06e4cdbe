// runtime/runtime.h: what a node needs from the world, in one bundle.
#pragma once

#include "base/error.h"
#include "runtime/clock.h"
#include "runtime/crowd.h"
#include "runtime/disk.h"
#include "runtime/executor.h"
#include "runtime/memory.h"
#include "runtime/network.h"
#include "runtime/random.h"

namespace tidal::runtime {

class Runtime {
public:
    virtual ~Runtime() = default;
    virtual Clock& clock() = 0;
    virtual Random& random() = 0;
    virtual Disk& disk() = 0;
    virtual ExecutorFactory& executors() = 0;
    virtual Network& network() = 0;
    virtual Memory& memory() = 0;
    /// The node cannot go on (a failed fsync): real, logs and ends the process with exit code 70;
    /// simulated, crashes the node. Does not return to code that may acknowledge anything.
    virtual void fatal(const Error& error) = 0;
    /// nullptr: threads wait by themselves.
    virtual Crowd* crowd() { return nullptr; }
};

}  // namespace tidal::runtime
