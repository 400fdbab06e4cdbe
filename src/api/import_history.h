// api/import_history.h: what was read under an import's id before, so that other data is refused.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/database.h"
#include "runtime/task.h"

namespace tidal::api {

/// A second run under an id reads the same rows from the first one on. They are known again by a
/// running hash, and so are those that the database refused.
///
/// Positions rise from 1. Before rows are written, the hash up to the last of them is noted in the
/// log. The newest two notes are kept: rows up to the older one are settled, written or refused; of
/// those from there to the newer one, the known end, some may be missing.
///
/// Threads: one call at a time. Lifetime: the database must outlive it.
class ImportHistory {
public:
    ImportHistory(Database& database, std::string id) : database_(database), id_(std::move(id)) {}

    /// What gives rows their meaning, before the first of them. kIdempotencyMismatch, reason
    /// "import_differs", where rows were read under another.
    runtime::Task<Result<void>> begin(std::uint64_t mapping_hash, std::int64_t shift_ms);
    /// One row, or one that cannot be used. The error of `begin` where the rows up to a note are
    /// others than before.
    Result<void> read(std::uint64_t position, std::uint64_t row_hash);
    /// At the end of the data; the same error where there was more.
    Result<void> end() const;

    std::uint64_t settled() const { return notes_[0].position; }
    std::uint64_t known() const { return notes_[1].position; }
    /// How many of the next `count` positions are on one side of both.
    std::uint64_t to_border(std::uint64_t count) const;

    /// Before the rows read so far are written, where they are past the known end.
    runtime::Task<Result<void>> note_read();
    /// Rows that the database refused, rising: once a chunk is answered.
    runtime::Task<Result<void>> note_refused(std::vector<std::uint64_t> positions);
    /// Of a row up to the known end.
    Result<bool> was_refused(std::uint64_t position);

private:
    /// 40 bits of the position and 24 of the hash are one number in the log.
    struct Note {
        std::uint64_t position = 0, hash = 0;
    };
    static constexpr int kHashBits = 24;

    std::string slot_name(std::size_t slot) const { return id_ + "/rows/" + std::to_string(slot); }
    std::string word_name(std::uint64_t at) const { return id_ + "/refused/" + std::to_string(at); }
    runtime::Task<Result<std::uint64_t>> newest(std::string name);
    runtime::Task<Result<void>> put(std::string name, std::uint64_t value);
    Error differs(std::string_view what) const;

    Database& database_;
    const std::string id_;
    std::uint64_t position_ = 0, hash_ = 0;  ///< Of the rows read in this run.
    std::array<Note, 2> notes_;              ///< The older one first.
    std::size_t next_slot_ = 0;              ///< Where the older one stands.
    bool noted_meaning_ = false;
    std::uint64_t mapping_ = 0, shift_ = 0;
    std::optional<std::uint64_t> word_at_;  ///< Of `word_`: the bits of 64 positions.
    std::uint64_t word_ = 0;
};

/// Why the database would refuse the row's writes if they came now; nullopt = it would not.
std::optional<Error> refused_now(Database& database, std::span<const Write> row);
/// As above, else that it did so at the time.
Error refusal_of(Database& database, std::span<const Write> row);

}  // namespace tidal::api
