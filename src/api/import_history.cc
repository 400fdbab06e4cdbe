#include "api/import_history.h"

#include <algorithm>
#include <cstring>
#include <deque>

#include "api/resolve.h"
#include "base/hash.h"
#include "shard/state.h"

namespace tidal::api {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t position, std::uint64_t row_hash) {
    const std::uint64_t words[] = {hash, position, row_hash};
    char bytes[sizeof words];
    std::memcpy(bytes, words, sizeof words);
    return hash64({bytes, sizeof bytes});
}

/// 0 is no note.
std::uint64_t noted(std::uint64_t hash) {
    return hash == 0 ? 1 : hash;
}

}  // namespace

runtime::Task<Result<std::uint64_t>> ImportHistory::newest(std::string name) {
    runtime::Completion<std::uint64_t> found;
    database_.newest_import_note(name, found.completer());
    Result<std::uint64_t> note = co_await found;
    co_return note;
}

runtime::Task<Result<void>> ImportHistory::put(std::string name, std::uint64_t value) {
    runtime::Completion<void> done;
    database_.put_import_note(name, value, done.completer());
    Result<void> result = co_await done;
    co_return result;
}

Error ImportHistory::differs(std::string_view what) const {
    return Error(ErrorCode::kIdempotencyMismatch,
                 "under this name " + std::string(what) + " was imported before")
        .with_reason("import_differs")
        .with_field("id")
        .with("import", id_)
        .with("rows_before", known())
        .with("rows", position_)
        .with_hint(
            "give other data another id; under this one it begins with the same rows, "
            "read by the same mapping, and more may follow");
}

runtime::Task<Result<void>> ImportHistory::begin(std::uint64_t mapping_hash,
                                                 std::int64_t shift_ms) {
    mapping_ = noted(mapping_hash);
    shift_ = noted(mix(0, 0, static_cast<std::uint64_t>(shift_ms)));
    for (std::size_t slot = 0; slot < notes_.size(); ++slot) {
        const std::string name = slot_name(slot);
        TIDAL_CO_ASSIGN(const std::uint64_t note, co_await newest(name));
        notes_[slot] = {note >> kHashBits, note & ((1 << kHashBits) - 1)};
    }
    if (notes_[0].position > notes_[1].position) {
        std::swap(notes_[0], notes_[1]);
        next_slot_ = 1;
    }
    if (known() == 0) co_return Result<void>();
    const std::string mapping_name = id_ + "/mapping", shift_name = id_ + "/shifted";
    TIDAL_CO_ASSIGN(const std::uint64_t mapping, co_await newest(mapping_name));
    if (mapping != mapping_) co_return Result<void>(differs("data of another mapping"));
    TIDAL_CO_ASSIGN(const std::uint64_t shift, co_await newest(shift_name));
    if (shift != shift_) co_return Result<void>(differs("data moved by another time_shift"));
    noted_meaning_ = true;
    co_return Result<void>();
}

Result<void> ImportHistory::read(std::uint64_t position, std::uint64_t row_hash) {
    hash_ = mix(hash_, position, row_hash);
    position_ = position;
    for (const Note& note : notes_)
        if (note.position == position && note.hash != (hash_ & ((1 << kHashBits) - 1)))
            return differs("other data");
    return {};
}

Result<void> ImportHistory::end() const {
    if (position_ < known()) return differs("more data");
    return {};
}

std::uint64_t ImportHistory::to_border(std::uint64_t count) const {
    for (const Note& note : notes_)
        if (position_ < note.position) return std::min(count, note.position - position_);
    return count;
}

runtime::Task<Result<void>> ImportHistory::note_read() {
    if (position_ <= known()) co_return Result<void>();
    if (!noted_meaning_) {
        const std::string mapping_name = id_ + "/mapping", shift_name = id_ + "/shifted";
        TIDAL_CO_TRY(co_await put(mapping_name, mapping_));
        TIDAL_CO_TRY(co_await put(shift_name, shift_));
        noted_meaning_ = true;
    }
    const Note note{position_, hash_ & ((1 << kHashBits) - 1)};
    const std::uint64_t value = note.position << kHashBits | note.hash;
    const std::string name = slot_name(next_slot_);
    TIDAL_CO_TRY(co_await put(name, value));
    next_slot_ ^= 1;
    notes_[0] = notes_[1];
    notes_[1] = note;
    co_return Result<void>();
}

Result<bool> ImportHistory::was_refused(std::uint64_t position) {
    if (word_at_ != position / 64) {
        TIDAL_ASSIGN(word_, database_.import_note(word_name(position / 64)));
        word_at_ = position / 64;
    }
    return (word_ >> position % 64 & 1) != 0;
}

runtime::Task<Result<void>> ImportHistory::note_refused(std::vector<std::uint64_t> positions) {
    std::deque<runtime::Completion<void>> written;
    for (std::size_t i = 0; i < positions.size(); ++i) {
        TIDAL_CO_ASSIGN(const bool before, was_refused(positions[i]));
        if (!before) word_ |= std::uint64_t{1} << positions[i] % 64;
        if (i + 1 < positions.size() && positions[i + 1] / 64 == *word_at_) continue;
        database_.put_import_note(word_name(*word_at_), word_, written.emplace_back().completer());
    }
    Result<void> result;
    for (runtime::Completion<void>& each : written) {
        Result<void> one = co_await each;
        if (result.ok()) result = std::move(one);
    }
    co_return result;
}

namespace {

// Whether a time is ahead was decided when the row came first.
constexpr UnixMillis kPastAllTimes = UnixMillis{1} << 60;

std::optional<Error> refused_one(Database& database, Write write) {
    // As write_import() takes them.
    if (auto* const signal = std::get_if<SignalWrite>(&write)) signal->under_policy = false;
    if (auto* const undo = std::get_if<SignalUndo>(&write)) undo->under_policy = false;
    const auto schema = database.schema();
    const auto collections = database.collections();
    auto resolved = resolve(*schema, kDefaultTenant, write, kPastAllTimes, *collections);
    if (!resolved.ok()) return resolved.take_error();
    EntityKind kind = EntityKind::kItem;
    const EntityId* id = nullptr;
    if (const auto* signal = std::get_if<record::SignalBody>(&resolved->body)) {
        kind = schema->signals[signal->signal.value()].target;
        id = &signal->item;
    } else if (const auto* vector = std::get_if<record::EmbeddingBody>(&resolved->body)) {
        kind = vector->kind;
        id = &vector->id;
    }
    if (id == nullptr) return std::nullopt;
    const auto found = database.get({kind, id->to_string()});
    if (found.ok() || found.error().code() != ErrorCode::kNotFound) return std::nullopt;
    return shard::unknown_entity(kind, *id);
}

}  // namespace

std::optional<Error> refused_now(Database& database, std::span<const Write> row) {
    for (const Write& write : row)
        if (auto refused = refused_one(database, write)) return refused;
    return std::nullopt;
}

Error refusal_of(Database& database, std::span<const Write> row) {
    if (auto refused = refused_now(database, row)) return std::move(*refused);
    return Error(ErrorCode::kPreconditionFailed, "refused when this import came to it first")
        .with_reason("refused_before")
        .with_hint("it would be taken now: send it under another id");
}

}  // namespace tidal::api
