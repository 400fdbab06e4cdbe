// http/import_sink.h: POST /import: the body of an import, once however often it is sent.
#pragma once

#include <memory>
#include <string>

#include "api/database.h"
#include "http/http_server.h"
#include "http/import_job.h"

namespace tidal::http {

/// What the request asks for beside its body.
struct ImportCall {
    std::string id;
    std::int64_t shift_ms = 0;  ///< Added to every time.
    bool end_to_now = false;    ///< The newest time becomes now.
    std::optional<api::ImportReplay> replay;
    bool wait = true;  ///< Answer at the end; else 202 once the body is there.
};

/// JSON lines, written as they arrive.
std::shared_ptr<BodySink> make_lines_sink(api::Database& database, std::shared_ptr<ImportJob> job,
                                          const ImportCall& call, std::uint64_t bytes_declared,
                                          Responder responder);

/// A tar archive of a mapping and its files, or (`tar` false) JSON lines: kept aside until all of
/// it is there, because something at its beginning depends on its end. Then imported, whether or
/// not the client still listens.
std::shared_ptr<BodySink> make_spool_sink(api::Database& database, std::shared_ptr<ImportJobs> jobs,
                                          std::shared_ptr<ImportJob> job, const ImportCall& call,
                                          bool tar, std::uint64_t bytes_declared,
                                          Responder responder);

}  // namespace tidal::http
