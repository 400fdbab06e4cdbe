// api/internal/file_feed.h: the files of an import, read by their mappers.
#pragma once

#include <deque>
#include <memory>
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

/// The ids that a column of a file has, read beside the file whose rows they are of.
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
        while (ids_.empty() && !ended_) {
            TIDAL_ASSIGN(const std::uint64_t bytes, feed_.step(*mapper_));
            ended_ = bytes == 0;
        }
        if (ids_.empty()) return std::optional<Id>();
        Id id = std::move(ids_.front());
        ids_.pop_front();
        return std::optional(std::move(id));
    }

private:
    explicit IdFeed(const transfer::FileMapping& file) : mapping_(file) {}

    bool on_row(transfer::ImportRow row, const transfer::RowPlace&, std::string_view) override {
        ids_.push_back({std::get<record::UpsertBody>(row).id, {}});
        return true;
    }
    void on_rejected(const transfer::RejectedRow& rejected) override {
        ids_.push_back({std::nullopt, mapping_.name + " line " +
                                          std::to_string(rejected.place.line) + ": " +
                                          std::string(rejected.reason)});
    }

    transfer::FileMapping mapping_;
    FileFeed feed_;
    std::unique_ptr<transfer::FileMapper> mapper_;
    std::deque<Id> ids_;  ///< Of the piece of the file that was read last.
    bool ended_ = false;
};

}  // namespace tidal::api
