// server/local_files.h: files of this machine, read by the server itself.
#pragma once

#include <string>

#include "api/import.h"

namespace tidal::server {

/// kNotFound or kIo with the path.
Result<std::string> read_text(const std::string& path);

/// The file at `path`, or at `path`.zst where only that exists.
Result<api::ImportSource> local_source(const std::string& path, const std::string& name);

}  // namespace tidal::server
