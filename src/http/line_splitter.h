// http/line_splitter.h: the lines of a body that arrives in pieces.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::http {

/// Lines end in LF or CRLF; the last needs no end. Memory: one line. Threads: one at a time.
class LineSplitter {
public:
    static constexpr std::size_t kLineBytesMax = 1 << 20;
    /// `line` is kTooLarge for a line over 1 MiB, kInvalidArgument for an empty one. Numbers count
    /// every line, from 1. The view is good during the call.
    using OnLine = std::function<void(std::uint64_t number, Result<std::string_view> line)>;

    void feed(std::string_view bytes, const OnLine& on_line);
    void finish(const OnLine& on_line);
    /// Of the line that comes next.
    std::uint64_t next_number() const { return next_number_; }

private:
    void take(std::string_view line, const OnLine& on_line);

    std::string rest_;  ///< An unfinished line.
    bool skipping_ = false;
    std::uint64_t next_number_ = 1;
};

}  // namespace tidal::http
