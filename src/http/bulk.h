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

/// Lines on their way to the database.
struct BulkLines {
    /// One per line: of one that did not parse, anything that holds its place, so that line numbers
    /// (and so keys) stay right.
    std::vector<api::Write> writes;
    std::vector<std::pair<std::size_t, Error>> errors;  ///< By place in `writes`, rising.

    void add(Result<api::Write> line);
    /// The last of `writes` did not parse.
    void refuse(Error error);
};

struct BulkAnswer {
    std::string lines;  ///< One reply or problem per write, each with its newline.
    std::uint64_t accepted = 0, rejected = 0;
};

/// Writes what parsed, in order; lines that did not parse keep their place among the answers.
void write_bulk(api::Database& database, BulkLines lines, const api::CallContext& context,
                std::uint64_t first_line, absl::AnyInvocable<void(BulkAnswer)> done);

/// {"accepted":n,"rejected":n} and a newline.
std::string bulk_summary(std::uint64_t accepted, std::uint64_t rejected);

/// A streamed NDJSON body. Each chunk's whole lines, and what is left where the body ends with it,
/// are one batch; the next chunk is read when the batch is answered, so memory stays bounded by a
/// chunk and one line of at most 1 MiB. Where the first chunk is the whole body, so is the reply:
/// in one piece, with its length.
/// @param out  Of an error anything.
using ParseLine = std::function<Result<void>(JsonReader&, std::string_view, api::Write* out)>;
std::shared_ptr<BodySink> make_bulk_sink(api::Database& database, const api::CallContext& context,
                                         ParseLine parse, Responder responder);

}  // namespace tidal::http
