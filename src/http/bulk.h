// http/bulk.h: many writes in one request: each line answered in order, good lines kept.
#pragma once

#include <absl/functional/any_invocable.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/database.h"
#include "http/http_server.h"
#include "http/json_read.h"

namespace tidal::http {

struct BulkAnswer {
    std::string lines;  ///< One reply or problem per write, each with its newline.
    std::uint64_t accepted = 0, rejected = 0;
};

/// Writes what parsed, in order; lines that did not parse keep their place among the answers.
void write_bulk(api::Database& database, std::vector<Result<api::Write>> lines,
                const api::CallContext& context, std::uint64_t first_line,
                absl::AnyInvocable<void(BulkAnswer)> done);

/// {"accepted":n,"rejected":n} and a newline.
std::string bulk_summary(std::uint64_t accepted, std::uint64_t rejected);

/// A streamed NDJSON body. Each chunk's whole lines, and what is left where the body ends with it,
/// are one batch; the next chunk is read when the batch is answered, so memory stays bounded by a
/// chunk and one line of at most 1 MiB.
using ParseLine = std::function<Result<api::Write>(JsonReader&, std::string_view)>;
/// The write of one line, or its error with the line's number.
Result<api::Write> parse_line(JsonReader& reader, const ParseLine& parse, std::uint64_t number,
                              Result<std::string_view> line);
std::shared_ptr<BodySink> make_bulk_sink(api::Database& database, const api::CallContext& context,
                                         ParseLine parse, Responder responder);

}  // namespace tidal::http
