// http/json_read.h: JSON bodies as typed operations. Unknown and repeated keys are refused by name.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"
#include "base/result.h"

namespace tidal::http {

/// {"text": "profile …", "dry_run": true}
struct CatalogText {
    std::string text;
    bool dry_run = false;
};

/// {"name": "ci", "role": "writer"}
struct KeyBody {
    std::string name, role;
};

/// Parses one document at a time; keeps its buffers. Threads: one at a time.
class JsonReader {
public:
    static constexpr std::size_t kDepthMax = 64;

    JsonReader();
    ~JsonReader();
    JsonReader(JsonReader&&) noexcept;
    JsonReader& operator=(JsonReader&&) noexcept;

    // kInvalidArgument with `field`, or with the byte offset where the text stops being JSON.
    // `id` comes from the path where there is one, else from `entity_id`.
    Result<api::Write> entity(std::string_view json, EntityKind kind);
    Result<api::Write> entity_patch(std::string_view json, EntityKind kind, api::IdInput id);
    Result<api::Write> embedding(std::string_view json);
    /// A signal, or {"undo": key, "entity_id": id}.
    Result<api::Write> signal(std::string_view json);
    /// @param out  Anything, on an error.
    Result<void> signal(std::string_view json, api::Write* out);
    /// {"user_id": …, "agent": "…", "policy": "…", "annotations": {…}}, of which only the user is
    /// needed.
    Result<api::SessionOpen> session(std::string_view json);
    /// {"annotations": {"goal": "a present"}, "sequence": 7}; the session is for the caller to say.
    Result<api::SessionAnnotate> annotations(std::string_view json);
    /// {"user_id": …, "kind": "hides", "item_id": …}, or `creator_id` as the kind says.
    Result<api::Write> relationship(std::string_view json, bool ends);
    /// {"entity_id": 1, "position": 2}: put into the collection of that name.
    Result<api::Write> member(std::string_view json, const std::string& collection);
    /// One of them or an array; as signals().
    Result<std::vector<Result<api::Write>>> members_of(std::string_view json,
                                                       const std::string& collection);
    /// The description of {"description": "..."}; "" for {} and for no body.
    Result<std::string> description(std::string_view json);
    /// A line of an import: a signal, an undo, an entity (of `kind`, default item), a vector, or
    /// an entity and a vector of it.
    Result<std::vector<api::Write>> import_line(std::string_view json);
    /// One signal object or an array of them; lines of the array fail one by one.
    Result<std::vector<Result<api::Write>>> signals(std::string_view json);
    Result<api::SuggestCall> suggest(std::string_view json);
    Result<api::FeedCall> feed(std::string_view json);
    /// The YAML text of {"schema": "..."}.
    Result<std::string> schema(std::string_view json);
    /// The text of {"query": "..."}.
    Result<std::string> query(std::string_view json);
    Result<CatalogText> catalog_text(std::string_view json);
    /// The name of {"name": "..."}.
    Result<std::string> name(std::string_view json);
    Result<KeyBody> key(std::string_view json);
    /// The number of {"<member>": 7}; nullopt for {} and for no body.
    Result<std::optional<std::uint64_t>> optional_number(std::string_view json,
                                                         std::string_view member);

private:
    struct Parser;
    std::unique_ptr<Parser> parser_;
};

/// Readers that keep their buffers from request to request: making one costs more than most bodies.
/// As many as were ever busy at once. Threads: any.
class JsonReaders {
public:
    /// Runs `read` with a reader that is free; one that read a large body is not kept.
    template <typename Read>
    auto with(std::size_t body_bytes, Read read) {
        JsonReader reader = take();
        auto result = read(reader);
        if (body_bytes <= kKeptBodyBytesMax) give_back(std::move(reader));
        return result;
    }

private:
    static constexpr std::size_t kKeptBodyBytesMax = 16 * 1024;
    JsonReader take();
    void give_back(JsonReader reader);

    std::mutex mutex_;
    std::vector<JsonReader> free_;  ///< Guarded by mutex_.
};

/// A time as doors take it: RFC 3339 text, or Unix milliseconds in decimal.
Result<UnixMillis> read_time_text(std::string_view text, std::string_view field);

}  // namespace tidal::http
