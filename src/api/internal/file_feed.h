// api/internal/file_feed.h: the files of an import, read by their mappers.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "api/import.h"
#include "transfer/zstd_reader.h"

namespace tidal::api {

/// Feeds a file to a mapper, unpacking where it is packed.
class FileFeed {
public:
    static Result<FileFeed> open(const ImportSource& source) {
        FileFeed feed;
        TIDAL_ASSIGN(feed.reader_, source.open());
        return feed;
    }

    /// The bytes taken from the file; 0 at its end, after which the mapper is finished.
    Result<std::uint64_t> step(transfer::FileMapper& mapper) {
        TIDAL_ASSIGN(const std::string piece, reader_->read());
        if (first_) packed_ = transfer::ZstdReader::is_packed(piece);
        first_ = false;
        if (piece.empty()) {
            if (packed_) TIDAL_TRY(unpacker_->finish());
            TIDAL_TRY(mapper.finish());
            return std::uint64_t{0};
        }
        if (!packed_) {
            TIDAL_TRY(mapper.feed(piece));
        } else {
            transfer::ZstdReader::Sink sink = [&](std::string_view bytes) {
                return mapper.feed(bytes);
            };
            TIDAL_TRY(unpacker_->feed(piece, sink));
        }
        return std::uint64_t{piece.size()};
    }

private:
    std::unique_ptr<ByteReader> reader_;
    std::unique_ptr<transfer::ZstdReader> unpacker_ = std::make_unique<transfer::ZstdReader>();
    bool first_ = true, packed_ = false;
};

/// The ids that a column of a file has, read beside the file whose rows they are of. A row whose id
/// cannot be used keeps its place. Where it cannot be told how many rows something in the file
/// stands for, all ids behind it could be another row's: there it ends.
class IdFeed final : public transfer::RowIds, private transfer::ImportSink {
public:
    /// `schema` must outlive it.
    static Result<std::unique_ptr<IdFeed>> open(const transfer::VectorMapping& vectors,
                                                const transfer::FileMapping& file,
                                                const schema::Schema& schema,
                                                const ImportSource& source) {
        std::unique_ptr<IdFeed> out(new IdFeed(file));
        out->mapping_.signals.reset();
        out->mapping_.entity.emplace();
        out->mapping_.entity->kind = vectors.kind;
        out->mapping_.entity->id = *vectors.ids_column;
        TIDAL_ASSIGN(out->mapper_,
                     transfer::FileMapper::create(out->mapping_, schema, nullptr, *out));
        TIDAL_ASSIGN(out->feed_, FileFeed::open(source));
        return out;
    }

    Result<std::optional<Id>> next() override {
        while (ids_.empty() && !failure_ && !ended_) {
            TIDAL_ASSIGN(const std::uint64_t bytes, feed_.step(*mapper_));
            ended_ = bytes == 0;
        }
        if (ids_.empty() && failure_) return Error(*failure_);
        if (ids_.empty()) return std::optional<Id>();
        Id id = std::move(ids_.front());
        ids_.pop_front();
        return std::optional(std::move(id));
    }

private:
    explicit IdFeed(const transfer::FileMapping& file) : mapping_(file) {}

    bool on_row(transfer::ImportRow row, const transfer::RowPlace& place,
                std::string_view) override {
        if (!follows(place)) return false;
        ids_.push_back({std::get<record::UpsertBody>(row).id, {}});
        return true;
    }
    void on_rejected(const transfer::RejectedRow& rejected) override {
        if (!follows(rejected.place)) return;
        const std::string reason = at(rejected.place) + std::string(rejected.reason);
        // Only what reads values names a column. Of anything else, such as a stray quote, the
        // parser cannot know how many rows it went over.
        if (rejected.column_name.empty()) {
            end(reason + ": which ids belong to the vectors from here on cannot be told",
                "mend the line: the file needs one whole row for each row of vectors");
        } else {
            ids_.push_back({std::nullopt, reason});
        }
    }

    /// False = the rows of the file are not known any more.
    bool follows(const transfer::RowPlace& place) {
        if (!failure_ && place.after_blank)
            end(at(place) +
                    "behind a blank line, which is no row: which ids belong to the vectors "
                    "from here on cannot be told",
                "remove blank lines; a row without an id is \"\" in csv and {} in ndjson");
        return !failure_;
    }
    std::string at(const transfer::RowPlace& place) const {
        return mapping_.name + " line " + std::to_string(place.line) + ": ";
    }
    void end(std::string message, std::string_view hint) {
        failure_ = Error(ErrorCode::kInvalidArgument, std::move(message)).with_hint(hint);
    }

    transfer::FileMapping mapping_;
    FileFeed feed_;
    std::unique_ptr<transfer::FileMapper> mapper_;
    std::deque<Id> ids_;            ///< Of the piece of the file that was read last.
    std::optional<Error> failure_;  ///< Of what follows `ids_`.
    bool ended_ = false;
};

}  // namespace tidal::api
