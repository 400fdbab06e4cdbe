#include "shard/idempotency.h"

#include <vector>

#include "base/big_endian.h"
#include "base/hash.h"
#include "record/id_codec.h"

namespace tidal::shard {
namespace {

constexpr std::string_view kEntryPrefix = "k/";
constexpr std::string_view kAgePrefix = "x/";
constexpr UnixMillis kMinuteMs = 60'000;
// What a key costs beside its entry: two row keys and the age row's value.
constexpr std::uint64_t kOverheadBytes = 48;

std::string age_key(HybridTime stamp, std::string_view row_key) {
    std::string key(kAgePrefix);
    append_big_endian(static_cast<std::uint64_t>(stamp.wall_ms() / kMinuteMs), 5, &key);
    key.append(row_key.substr(kEntryPrefix.size()));
    return key;
}

UnixMillis age_of(std::string_view age_key) {
    return static_cast<UnixMillis>(read_big_endian(age_key.substr(kAgePrefix.size(), 5))) *
           kMinuteMs;
}

/// In the place of a principal's length, which is less.
constexpr std::uint64_t kNoPrincipal = record::kTokenBytesMax + 1;

std::string key_of(std::string_view name) {
    const Hash128 hash = hash128(name);
    std::string out(kEntryPrefix);
    append_big_endian(hash.high, 8, &out);
    append_big_endian(hash.low, 8, &out);
    return out;
}

std::string encode_entry(const KeyEntry& entry) {
    Encoder out;
    out.u64(entry.body_hash);
    out.u64(entry.stamp.bits());
    encode_outcome(entry.answer, &out);
    const bool marked = entry.undo && entry.undo->marked_user;
    const bool in_cohorts = entry.undo && !entry.undo->cohorts.empty();
    const bool in_session = entry.undo && entry.undo->session != 0;
    out.u8(static_cast<std::uint8_t>((entry.undo ? 1 : 0) | (entry.undone ? 2 : 0) |
                                     (marked ? 4 : 0) | (in_cohorts ? 8 : 0) |
                                     (in_session ? 16 : 0)));
    if (entry.undo) {
        out.varint(entry.undo->signal.signal.value());
        record::encode_optional_id(entry.undo->signal.item, &out);
        out.svarint(entry.undo->signal.weight);
        record::encode_optional_id(entry.undo->signal.user, &out);
        record::encode_optional_id(entry.undo->creator, &out);
        out.u64(entry.undo->generation.bits());
        out.varint(entry.undo->origin.value());
        out.svarint(entry.undo->event_time_ms);
    }
    if (in_cohorts) {
        out.varint(entry.undo->cohorts.size());
        for (const CohortId cohort : entry.undo->cohorts) out.varint(cohort.value());
    }
    if (in_session) out.varint(entry.undo->session);
    if (entry.undone) encode_outcome(*entry.undone, &out);
    return out.take();
}

Result<KeyEntry> decode_entry(std::string_view bytes) {
    Decoder in(bytes);
    KeyEntry entry;
    entry.body_hash = in.u64();
    entry.stamp = HybridTime::from_bits(in.u64());
    entry.answer = decode_outcome(&in);
    const std::uint8_t flags = in.u8();
    if (flags > 31) in.fail();
    if ((flags & 1) != 0) {
        UndoEntry undo;
        undo.signal.signal = SignalTypeId(static_cast<std::uint16_t>(in.varint()));
        if (auto item = record::decode_optional_id(&in)) undo.signal.item = *item;
        undo.signal.weight = in.svarint();
        undo.signal.user = record::decode_optional_id(&in);
        undo.creator = record::decode_optional_id(&in);
        undo.generation = HybridTime::from_bits(in.u64());
        undo.origin = RegionId(static_cast<std::uint16_t>(in.varint()));
        undo.event_time_ms = in.svarint();
        undo.marked_user = (flags & 4) != 0;
        if ((flags & 8) != 0) {
            undo.cohorts.resize(in.count(1));
            for (CohortId& cohort : undo.cohorts)
                cohort = CohortId(static_cast<std::uint32_t>(in.varint()));
        }
        if ((flags & 16) != 0) undo.session = in.varint();
        entry.undo = std::move(undo);
    }
    if ((flags & 2) != 0) entry.undone = decode_outcome(&in);
    TIDAL_TRY(in.finish("idempotency entry"));
    return entry;
}

}  // namespace

Error key_of_another_body() {
    return Error(ErrorCode::kIdempotencyMismatch, "this idempotency key was used with another body")
        .with_field("Idempotency-Key")
        .with_hint("repeat the first call unchanged, or send this one under a key of its own");
}

Error unknown_undo_key() {
    return Error(ErrorCode::kNotFound, "no signal with this idempotency key is kept")
        .with_reason("unknown_undo_key")
        .with_field("undo")
        .with_hint(
            "keys are kept for 24 hours, per entity_id, and per session_id of a signal that "
            "was sent under one");
}

Result<IdempotencyTable> IdempotencyTable::open(storage::ShardStore& store,
                                                std::uint64_t bytes_max) {
    IdempotencyTable table(store, bytes_max);
    TIDAL_TRY(store.scan(kAgePrefix, [&](std::string_view key, std::string_view value) {
        if (!table.oldest_ms_) table.oldest_ms_ = age_of(key);
        table.bytes_ += read_big_endian(value);
        ++table.count_;
        return true;
    }));
    return table;
}

std::string IdempotencyTable::row_key(TenantId tenant, std::string_view principal,
                                      std::string_view key) {
    Encoder name;
    name.varint(tenant.value());
    name.bytes(principal);
    name.bytes(key);
    return key_of(name.view());
}

std::string IdempotencyTable::session_row_key(TenantId tenant, const EntityId& user,
                                              HybridTime stamp) {
    Encoder name;
    name.varint(tenant.value());
    name.varint(kNoPrincipal);
    record::encode_optional_id(user, &name);
    name.u64(stamp.bits());
    return key_of(name.view());
}

Result<std::optional<KeyEntry>> IdempotencyTable::find(const std::string& row_key) {
    TIDAL_ASSIGN(auto row, store_->get(row_key));
    if (!row) return std::optional<KeyEntry>();
    TIDAL_ASSIGN(KeyEntry entry, decode_entry(*row));
    return std::optional<KeyEntry>(std::move(entry));
}

Result<void> IdempotencyTable::insert(const std::string& row_key, const KeyEntry& entry) {
    const std::string row = encode_entry(entry);
    const std::uint64_t size = row.size() + kOverheadBytes;
    std::string size_value;
    append_big_endian(size, 4, &size_value);
    store_->put(row_key, row);
    store_->put(age_key(entry.stamp, row_key), size_value);
    bytes_ += size;
    ++count_;
    if (!oldest_ms_) oldest_ms_ = entry.stamp.wall_ms() / kMinuteMs * kMinuteMs;
    if (bytes_ > bytes_max_) return expire(entry.stamp);
    return {};
}

void IdempotencyTable::replace(const std::string& row_key, const KeyEntry& entry) {
    store_->put(row_key, encode_entry(entry));
}

Result<void> IdempotencyTable::expire(HybridTime now) {
    const UnixMillis horizon = now.wall_ms() - kKeepMs;
    // An eighth of the quota is freed at once, so that a full table does not scan at every insert.
    const std::uint64_t bytes_wanted = bytes_ > bytes_max_ ? bytes_max_ - bytes_max_ / 8 : bytes_;
    std::uint64_t bytes_left = bytes_;
    std::vector<std::pair<std::string, std::uint64_t>> gone;
    oldest_ms_.reset();
    TIDAL_TRY(store_->scan(kAgePrefix, [&](std::string_view key, std::string_view value) {
        const UnixMillis age = age_of(key);
        if (age + kMinuteMs > horizon && bytes_left <= bytes_wanted) {
            oldest_ms_ = age;
            return false;
        }
        gone.emplace_back(key, read_big_endian(value));
        bytes_left -= gone.back().second;
        return true;
    }));
    for (const auto& [key, size] : gone) {
        store_->erase(key);
        store_->erase(std::string(kEntryPrefix) + key.substr(kAgePrefix.size() + 5));
    }
    bytes_ = bytes_left;
    count_ -= gone.size();
    return {};
}

}  // namespace tidal::shard
