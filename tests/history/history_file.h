// tests/history/history_file.h: histories as JSON lines. The format is in README.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "tests/history/operation.h"

namespace tidal::history {

/// The first line of a file, with its newline.
std::string file_head();
/// One operation as a line, with its newline.
std::string to_line(const Operation& operation);

/// @return kInvalidArgument, naming the line: no head, JSON of another shape, a key or name that is
///         unknown, a time before another it must follow, a key that is register and counter, a
///         value that a key was given twice.
Result<History> parse_history(std::string_view text);

const char* name_of(Kind kind);
const char* name_of(Outcome outcome);

}  // namespace tidal::history
