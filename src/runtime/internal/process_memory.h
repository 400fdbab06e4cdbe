// runtime/internal/process_memory.h: Memory of this process, as Linux counts it.
#pragma once

#include <string_view>

#include "runtime/internal/unique_fd.h"
#include "runtime/memory.h"

namespace tidal::runtime::internal {

/// RssAnon and VmSwap of a /proc/PID/status. kUnsupported without them.
Result<std::uint64_t> held_bytes_in(std::string_view status);

class ProcessMemory final : public Memory {
public:
    ProcessMemory();
    Result<std::uint64_t> held_bytes() override;
    /// Of glibc, or of a jemalloc that is a shared library; of others nothing.
    void give_back() override;

private:
    const UniqueFd status_;  ///< Kept open: a look must not need a descriptor when there are none.
};

}  // namespace tidal::runtime::internal
