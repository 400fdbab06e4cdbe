// http/import_run.h: an import whose files are all there.
#pragma once

#include "http/import_sink.h"
#include "runtime/task.h"

namespace tidal::http {

/// Name of the spool's only file when the body was JSON lines.
inline constexpr std::string_view kLinesFile = "body.ndjson";

/// Ends the job. `tar`: the spool has one `.yaml` or `.yml`, the mapping, and the files it names.
/// Runs on the jobs' runner; the database must outlive it.
runtime::Task<void> run_spooled(api::Database& database, std::shared_ptr<ImportJobs> jobs,
                                std::shared_ptr<ImportJob> job, std::shared_ptr<ImportSpool> spool,
                                ImportCall call, bool tar);

}  // namespace tidal::http
