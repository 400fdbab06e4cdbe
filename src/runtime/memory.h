// runtime/memory.h: how much of the machine's memory the process holds.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace tidal::runtime {

/// Threads: any.
class Memory {
public:
    virtual ~Memory() = default;
    /// Bytes that nobody else can have while the process lives: its own pages, in memory or swapped
    /// out, of whatever part of it, among them what its allocator keeps for later. Not mapped
    /// files, whose pages the kernel may drop. Takes a read of a file.
    /// @return kUnsupported where the system does not say; kIo.
    virtual Result<std::uint64_t> held_bytes() = 0;
    /// The allocator shall give back what it keeps for later. May take long: not on a thread that
    /// answers.
    virtual void give_back() = 0;
};

}  // namespace tidal::runtime
