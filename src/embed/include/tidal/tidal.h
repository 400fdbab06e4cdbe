// tidal/tidal.h: the embedded library: the same database without a server.
//
//     auto db = tidal::Library::open({.directory = "./data"});
//     db->write(tidal::api::EntityWrite{.id = 1, .metadata = {{"title", "Jazz Piano"}}});
//     db->write(tidal::api::SignalWrite{.id = 1, .signal = "view"});
//     auto feed = db->feed({.profile = "trending"});
//
// Requests and replies are those of every other door: api/types.h. docs/guides/embedding.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"
#include "base/result.h"

namespace tidal {

struct OpenOptions {
    std::string directory;  ///< Made when absent. Empty: nothing on disk, lost at close.
    std::optional<std::uint16_t> shards;  ///< Of a new directory (default 1).
    std::optional<std::string> schema;    ///< YAML; default: config/default-schema.yaml.
};

/// Threads: any number of callers; calls block until they are answered. One process per directory.
class Library {
public:
    /// kConflict when another process has the directory, kIncompatible naming what differs,
    /// kCorruption with file and offset.
    static Result<Library> open(const OpenOptions& options);
    Library(Library&&) noexcept;
    Library& operator=(Library&&) noexcept;
    /// Closes: writes a last checkpoint, so that the next open replays nothing.
    ~Library();

    /// Returns once the write is durable and applied (context.write_concern says otherwise).
    Result<api::WriteReply> write(api::Write write, const api::CallContext& context = {});
    /// One reply per write, in order; an error of one leaves the others alone.
    api::WriteReplies write_all(std::vector<api::Write> writes,
                                const api::CallContext& context = {});

    Result<api::EntityReply> get(const api::EntityRequest& request);
    Result<api::SignalReadings> signals(const api::EntityRequest& request);
    /// Takes turns with the feeds of other threads; where too many ask, replies carry less
    /// (`degradation`) or are refused with kUnavailable, reason "overloaded".
    Result<api::FeedReply> feed(const api::FeedCall& call);
    /// A query as text, such as "RETRIEVE items USING trending LIMIT 5": docs/reference/query.md.
    Result<api::FeedReply> query(std::string_view text);
    /// Returns once everything the token of a write names is applied, on every shard it reached.
    Result<void> wait_for(std::string_view token, std::uint64_t timeout_ms = 10'000);

    /// Adds to the schema. kIncompatible names what is not an addition.
    Result<void> put_schema(std::string_view yaml);
    std::string schema_yaml() const;
    Result<api::ExportPage> export_signals(const api::ExportRequest& request);

private:
    struct Open;
    explicit Library(std::unique_ptr<Open> open);
    std::unique_ptr<Open> open_;
};

}  // namespace tidal
