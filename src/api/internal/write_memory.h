// api/internal/write_memory.h: what writes that wait take.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "api/types.h"

namespace tidal::api {

/// About, with what of theirs lies elsewhere: texts and vectors.
std::uint64_t memory_of(std::span<const Write> writes);

/// So many bytes, counted in a sum while it lives. Threads: any.
class CountedBytes {
public:
    CountedBytes(std::atomic<std::uint64_t>* sum, std::uint64_t bytes) : sum_(sum), bytes_(bytes) {
        *sum_ += bytes_;
    }
    CountedBytes(const CountedBytes&) = delete;
    CountedBytes& operator=(const CountedBytes&) = delete;
    ~CountedBytes() { *sum_ -= bytes_; }

private:
    std::atomic<std::uint64_t>* const sum_;
    const std::uint64_t bytes_;
};

}  // namespace tidal::api
