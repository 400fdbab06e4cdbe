// transfer/file_mapper.h: bytes of one file in, rows to write out.
#pragma once

#include <memory>
#include <string_view>

#include "schema/schema.h"
#include "transfer/csv_parser.h"
#include "transfer/import_row.h"
#include "transfer/mapping.h"

namespace tidal::transfer {

/// Where the rows of a file go. Everything is valid during the call only.
class ImportSink {
public:
    virtual ~ImportSink() = default;
    /// One of the writes that a row of the file stands for; those of one row come one after the
    /// other with the same place and the row's text. False stops the mapper for good.
    virtual bool on_row(ImportRow row, const RowPlace& place, std::string_view text) = 0;
    /// A row left out as a whole: none of its writes was or will be handed on.
    virtual void on_rejected(const RejectedRow& rejected) = 0;
};

/// The ids of a file's rows, from another file.
class RowIds {
public:
    virtual ~RowIds() = default;
    struct Id {
        std::optional<EntityId> id;
        std::string reason;  ///< Why there is none, where that row cannot be used.
    };
    /// Of the next row; nullopt = there are no more rows.
    virtual Result<std::optional<Id>> next() = 0;
};

/// Turns one file into writes, as its mapping says. No I/O, no clock: the same bytes give the same
/// calls however they are cut. Bad rows are counted and reported, not fatal. Memory: one row.
/// Not thread-safe.
class FileMapper {
public:
    struct Counts {
        std::uint64_t bytes = 0;   ///< Fed so far.
        std::uint64_t rows = 0;    ///< Good ones; the header is none.
        std::uint64_t writes = 0;  ///< Handed on.
        std::uint64_t rejected = 0;
    };

    /// `mapping`, `schema`, `first_signals` (nullptr = not read), `sink` and `ids` must outlive it.
    /// @param ids  Of vectors, where their mapping names a file of them.
    /// @return kUnknownName with the line of the mapping: a field, signal or embedding slot that
    ///         the schema does not have. kInvalidArgument: a constant of the wrong type, a weight
    ///         out of range, `first_signal` without `first_signals`, `first_id` of text ids.
    static Result<std::unique_ptr<FileMapper>> create(const FileMapping& mapping,
                                                      const schema::Schema& schema,
                                                      const FirstSignals* first_signals,
                                                      ImportSink& sink, RowIds* ids = nullptr);
    virtual ~FileMapper() = default;

    /// Any number of unpacked bytes. kUnknownName: the header lacks a column that the mapping
    /// names; kInvalidArgument: the header cannot be read; of vectors also a row that is not of the
    /// slot's dimensions, or has no id. After an error nothing more is read.
    virtual Result<void> feed(std::string_view bytes) = 0;
    /// The end of the file. kInvalidArgument when a header is asked for and there is none; of
    /// vectors when it ends within a row, or the file of ids has more rows.
    virtual Result<void> finish() = 0;
    virtual const Counts& counts() const = 0;
};

}  // namespace tidal::transfer
