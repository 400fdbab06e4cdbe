// api/internal/import_sinks.h: where the rows of an import's files go, pass by pass.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/import.h"
#include "base/hash.h"

namespace tidal::api {

/// Where a write came from, for the file of rejected rows.
struct RowNote {
    const std::string* file;
    transfer::RowPlace place;
    std::string text;
};
using RowNotePtr = std::shared_ptr<const RowNote>;

/// A row without a time of its own comes before all others.
inline constexpr UnixMillis kNoTime = std::numeric_limits<UnixMillis>::min();

inline UnixMillis time_of(const transfer::ImportRow& row) {
    if (const auto* signal = std::get_if<transfer::SignalRow>(&row))
        return signal->at_ms.value_or(kNoTime);
    const auto* upsert = std::get_if<record::UpsertBody>(&row);
    if (upsert == nullptr || !upsert->created_at) return kNoTime;
    return upsert->created_at->value_or(kNoTime);
}

inline Write write_of(transfer::ImportRow row) {
    if (auto* upsert = std::get_if<record::UpsertBody>(&row))
        return PreparedWrite{std::move(*upsert), std::nullopt};
    if (auto* vector = std::get_if<record::EmbeddingBody>(&row))
        return PreparedWrite{std::move(*vector), std::nullopt};
    auto& signal = std::get<transfer::SignalRow>(row);
    return PreparedWrite{std::move(signal.body), signal.at_ms};
}

/// By what a second reading knows a row again: its text, and what is not part of the text.
inline std::uint64_t hash_of(const transfer::ImportRow& row, std::string_view text) {
    const std::uint64_t hash = hash64(text);
    const auto* vector = std::get_if<record::EmbeddingBody>(&row);
    if (vector == nullptr) return hash;
    const std::string_view values(reinterpret_cast<const char*>(vector->values.data()),
                                  vector->values.size() * sizeof(vector->values[0]));
    return hash64(values, hash64(vector->id.to_string(), hash));
}

/// Only notes when things were first and last signalled.
class NotingSink final : public transfer::ImportSink {
public:
    explicit NotingSink(transfer::FirstSignals* first) : first_(first) {}
    bool on_row(transfer::ImportRow row, const transfer::RowPlace&, std::string_view) override {
        first_->note(row);
        return true;
    }
    void on_rejected(const transfer::RejectedRow&) override {}

private:
    transfer::FirstSignals* first_;
};

/// Notes of the rows of one file; those of one row are one.
class RowNotes {
public:
    explicit RowNotes(bool wanted) : wanted_(wanted) {}
    RowNotePtr of(const std::string& file, const transfer::RowPlace& place, std::string_view text) {
        if (wanted_ && (!last_ || last_->file != &file || last_->place.row != place.row))
            last_ = std::make_shared<const RowNote>(RowNote{&file, place, std::string(text)});
        return last_;
    }

private:
    const bool wanted_;
    RowNotePtr last_;
};

/// Writes that wait for the log, in their order.
struct WriteQueue {
    std::vector<Write> writes;
    std::vector<RowNotePtr> notes;      ///< Of each write.
    std::vector<std::uint64_t> hashes;  ///< Of each write's row.

    void push(Write write, RowNotePtr note, std::uint64_t hash) {
        writes.push_back(std::move(write));
        notes.push_back(std::move(note));
        hashes.push_back(hash);
    }
    void append(WriteQueue more) {
        for (std::size_t i = 0; i < more.writes.size(); ++i)
            push(std::move(more.writes[i]), std::move(more.notes[i]), more.hashes[i]);
    }
    /// The first ones, which it has no more then.
    WriteQueue take(std::size_t count) {
        WriteQueue out;
        const auto end = static_cast<std::ptrdiff_t>(count);
        const auto move = [&](auto& from, auto& to) {
            to.assign(std::make_move_iterator(from.begin()),
                      std::make_move_iterator(from.begin() + end));
            from.erase(from.begin(), from.begin() + end);
        };
        move(writes, out.writes);
        move(notes, out.notes);
        move(hashes, out.hashes);
        return out;
    }
};

/// Gathers the writes of one file until the caller takes them.
class GatheringSink final : public transfer::ImportSink {
public:
    GatheringSink(const std::string& file, std::int64_t shift_ms, const ImportObserver& observer,
                  ImportProgress* progress)
        : file_(file),
          shift_ms_(shift_ms),
          observer_(observer),
          progress_(progress),
          notes_(static_cast<bool>(observer.on_rejected)) {}
    bool on_row(transfer::ImportRow row, const transfer::RowPlace& place,
                std::string_view text) override {
        transfer::shift_times(&row, shift_ms_);
        const std::uint64_t hash = hash_of(row, text);
        queue.push(write_of(std::move(row)), notes_.of(file_, place, text), hash);
        return true;
    }
    void on_rejected(const transfer::RejectedRow& rejected) override {
        ++progress_->rejected;
        if (observer_.on_rejected) observer_.on_rejected(file_, rejected);
    }

    WriteQueue queue;

private:
    const std::string& file_;
    const std::int64_t shift_ms_;
    const ImportObserver& observer_;
    ImportProgress* progress_;
    RowNotes notes_;
};

/// From `begin` on, before `end`.
struct TimeSlice {
    UnixMillis begin, end;
};

/// Counts rows by the hour, so that a replay can sort a slice of time after the other.
class HourCounts final : public transfer::ImportSink {
public:
    static constexpr std::size_t kSliceRows = 500'000;
    static constexpr UnixMillis kHourMs = 3'600'000;

    HourCounts(const std::string& file, const ImportObserver& observer, ImportProgress* progress)
        : file_(&file), observer_(observer), progress_(progress) {}
    void set_file(const std::string& file) { file_ = &file; }
    bool on_row(transfer::ImportRow row, const transfer::RowPlace&, std::string_view) override {
        const UnixMillis at = time_of(row);
        ++writes_;
        ++hours_[at == kNoTime ? kNoTime : floor_hour(at)];
        if (at == kNoTime) return true;
        first_ = std::min(first_.value_or(at), at);
        last_ = std::max(last_.value_or(at), at);
        return true;
    }
    void on_rejected(const transfer::RejectedRow& rejected) override {
        ++progress_->rejected;
        if (observer_.on_rejected) observer_.on_rejected(*file_, rejected);
    }

    std::uint64_t writes() const { return writes_; }
    std::optional<UnixMillis> first() const { return first_; }
    std::optional<UnixMillis> last() const { return last_; }
    /// Whole hours, together all rows, each of about kSliceRows (or one crowded hour).
    std::vector<TimeSlice> slices() const {
        std::vector<TimeSlice> slices;
        std::size_t rows = 0;
        for (const auto& [hour, count] : hours_) {
            const UnixMillis end = hour == kNoTime ? kNoTime + 1 : hour + kHourMs;
            if (slices.empty() || rows + count > kSliceRows) {
                slices.push_back({hour, end});
                rows = 0;
            }
            slices.back().end = end;
            rows += count;
        }
        return slices;
    }

private:
    static UnixMillis floor_hour(UnixMillis at) {
        const UnixMillis rest = at % kHourMs;
        return at - (rest < 0 ? rest + kHourMs : rest);
    }

    const std::string* file_;
    const ImportObserver& observer_;
    ImportProgress* progress_;
    std::map<UnixMillis, std::size_t> hours_;
    std::uint64_t writes_ = 0;
    std::optional<UnixMillis> first_, last_;
};

struct TimedWrite {
    UnixMillis at;
    bool signal;
    Write write;
    RowNotePtr note;
    std::uint64_t hash;
};

/// Keeps the rows of one slice of time.
class SliceSink final : public transfer::ImportSink {
public:
    SliceSink(TimeSlice slice, bool notes_wanted) : slice_(slice), notes_(notes_wanted) {}
    void set_file(const std::string& file) { file_ = &file; }
    bool on_row(transfer::ImportRow row, const transfer::RowPlace& place,
                std::string_view text) override {
        const UnixMillis at = time_of(row);
        if (at < slice_.begin || at >= slice_.end) return true;
        const bool signal = std::holds_alternative<transfer::SignalRow>(row);
        const std::uint64_t hash = hash_of(row, text);
        rows.push_back(
            {at, signal, write_of(std::move(row)), notes_.of(*file_, place, text), hash});
        return true;
    }
    void on_rejected(const transfer::RejectedRow&) override {}
    /// By time; at the same time entities before the signals that name them, else as in the files.
    void sort() {
        std::stable_sort(rows.begin(), rows.end(), [](const TimedWrite& a, const TimedWrite& b) {
            return a.at != b.at ? a.at < b.at : a.signal < b.signal;
        });
    }
    std::vector<TimedWrite> rows;

private:
    const TimeSlice slice_;
    RowNotes notes_;
    const std::string* file_ = nullptr;
};

}  // namespace tidal::api
