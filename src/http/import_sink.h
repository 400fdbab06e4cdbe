// http/import_sink.h: POST /import: an NDJSON stream of items, users, creators and signals, once.
#pragma once

#include <memory>
#include <string>

#include "api/database.h"
#include "http/http_server.h"

namespace tidal::http {

/// Lines are written in batches, each batch marked in the log together with its lines: the same
/// body sent again under the same id goes on where it stopped. One reply at the end: counts, and
/// the first rejected lines with their problems. `shift_ms` is added to every time.
std::shared_ptr<BodySink> make_import_sink(api::Database& database, std::string import_id,
                                           std::int64_t shift_ms, Responder responder);

}  // namespace tidal::http
