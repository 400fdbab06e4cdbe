// text/internal/window_sums.h: the scores of all slots of a window, added up a term at a time.
#pragma once

#include <absl/functional/function_ref.h>

#include <array>
#include <cstdint>
#include <vector>

#include "text/internal/term_reader.h"

namespace tidal::text {

class WindowSums {
public:
    static constexpr std::uint32_t kSlots = 8'192;  ///< Of a window, at most.

    /// Adds what a term scores in the window's slots. @param term  Its window has been started.
    /// @return  How many postings that were.
    std::uint64_t add(const TermReader& term, std::uint32_t first, std::uint32_t last);
    /// Each slot that was added to and has no less, rising; then all are forgotten.
    using Visit = absl::FunctionRef<void(double score, std::uint32_t slot)>;
    void take(std::uint32_t first, std::uint32_t last, double least, Visit visit);

private:
    static constexpr double kNone = -0.0;  ///< Adds nothing, and is no sum of scores.

    std::vector<double> sums_;  ///< By slot of the window; kNone between windows.
    std::array<std::uint64_t, kSlots / 64> bits_;
    std::array<double, kBlockPostings> scores_;
};

}  // namespace tidal::text
