// ctl/output.h: what the commands share: replies as text, values in addresses.
#pragma once

#include <string>

#include "base/result.h"

namespace tidal::ctl {

/// To standard output: the JSON as it came, or "key value" lines where objects and arrays indent.
Result<void> print_reply(const std::string& reply, bool as_json);

/// To standard error as text, in the words of every command.
void print_error(const Error& error);
/// One JSON object: status "error", code, message, field, hint, and the context by its names.
std::string error_json(const Error& error);

std::string percent_encode(const std::string& text);

/// A whole file of 1 byte to 16 MiB; "-" is standard input. kNotFound, kInvalidArgument where it is
/// empty, kTooLarge.
Result<std::string> read_text(const std::string& path);

}  // namespace tidal::ctl
