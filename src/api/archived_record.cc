#include "api/internal/archived_record.h"

#include <optional>
#include <vector>

#include "record/personal.h"

namespace tidal::api {
namespace {

using Key = audience::ArchiveKeys::Key;
using Owner = audience::ArchiveKeys::Owner;

enum Form : std::uint8_t {
    kAsLogged = 0,
    kParts = 1,   ///< Aliases in the place of users, and apart what was said beside a signal.
    kSealed = 2,  ///< Under the key of its user; of two, the second's within the first's.
    kGone = 3,    ///< Nothing but that there was one.
};

constexpr std::size_t kUsersMax = 2;

/// What is sealed opens only where it was.
std::string place_of(const wal::BatchHeader& batch, LogIndex index) {
    Encoder out;
    out.u16(batch.region.value());
    out.u16(batch.shard.value());
    out.u32(batch.incarnation.value());
    out.u64(index.value());
    return out.take();
}

std::string gone() {
    return {static_cast<char>(kGone)};
}

bool is_signal(const record::Body& body) {
    return !std::holds_alternative<record::RelayBody>(body);
}

}  // namespace

Result<std::string> ArchivedRecords::seal(const wal::BatchHeader& batch, LogIndex index,
                                          std::string_view bytes, record::Record* scratch,
                                          const KeyOf& key_of) const {
    switch (record::personal(scratch->body)) {
        case record::Personal::kNothing:
            break;
        case record::Personal::kParts:
            return seal_parts(place_of(batch, index), batch.region, scratch, key_of);
        case record::Personal::kWhole:
            return seal_whole(place_of(batch, index), bytes, *scratch, key_of);
        case record::Personal::kNever:
            return gone();
    }
    std::string out(1, static_cast<char>(kAsLogged));
    out.append(bytes);
    return out;
}

Result<std::string> ArchivedRecords::seal_whole(std::string_view place, std::string_view bytes,
                                                const record::Record& record,
                                                const KeyOf& key_of) const {
    std::vector<const Key*> keys;
    bool known = true;
    record::visit_users(record, [&](const EntityId& user, HybridTime stamp) {
        keys.push_back(key_of(user, stamp));
        known = known && keys.back() != nullptr;
    });
    if (!known) return gone();
    std::string sealed(bytes);
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
        TIDAL_ASSIGN(sealed, cipher_.seal((*key)->secret, place, sealed));
    }
    Encoder out;
    out.u8(kSealed);
    out.u8(static_cast<std::uint8_t>(keys.size()));
    for (const Key* key : keys) out.u64(key->alias);
    out.raw(sealed);
    return out.take();
}

Result<std::string> ArchivedRecords::seal_parts(std::string_view place, RegionId region,
                                                record::Record* record, const KeyOf& key_of) const {
    const Key* key = nullptr;
    record::replace_users(record, [&](const EntityId& user, HybridTime stamp) {
        key = key_of(user, stamp);
        return key == nullptr ? std::nullopt : std::optional<EntityId>(EntityId(key->alias));
    });
    std::string sealed;
    if (is_signal(record->body)) {
        const record::PersonalTexts texts = record::take_texts(record);
        if (key != nullptr && !texts.empty()) {
            TIDAL_ASSIGN(sealed, cipher_.seal(key->secret, place, record::encode_texts(texts)));
        }
    }
    Encoder out;
    out.u8(kParts);
    out.bytes(sealed);
    record::encode_record(*record, region, &out);
    return out.take();
}

Result<std::string> ArchivedRecords::open(const wal::BatchHeader& batch, LogIndex index,
                                          std::string_view archived, record::Record* scratch,
                                          const OwnerOf& owner_of) const {
    const auto damaged = [&](std::string_view what) {
        return Error(ErrorCode::kCorruption, "a record of the archive " + std::string(what))
            .with("shard", batch.shard.value())
            .with("index", index.value());
    };
    if (archived.empty()) return damaged("has no form");
    const std::string_view rest = archived.substr(1);
    switch (static_cast<std::uint8_t>(archived.front())) {
        case kAsLogged:
            if (rest.empty()) return damaged("is empty");
            return std::string(rest);
        case kParts:
            return open_parts(place_of(batch, index), batch.region, rest, scratch, owner_of);
        case kSealed:
            return open_whole(place_of(batch, index), rest, owner_of);
        case kGone:
            if (!rest.empty()) return damaged("is gone and not empty");
            return std::string();
        default:
            return Error(ErrorCode::kIncompatible, "a record of the archive has a later form")
                .with("form", static_cast<unsigned>(static_cast<std::uint8_t>(archived.front())));
    }
}

Result<std::string> ArchivedRecords::open_whole(std::string_view place, std::string_view archived,
                                                const OwnerOf& owner_of) const {
    Decoder in(archived);
    const std::uint8_t users = in.u8();
    if (users == 0 || users > kUsersMax) in.fail();
    std::vector<std::uint64_t> aliases(in.failed() ? 0 : users);
    for (std::uint64_t& alias : aliases) alias = in.u64();
    if (in.failed())
        return Error(ErrorCode::kCorruption, "a sealed record does not say under whose key");
    std::string opened(in.rest());
    for (const std::uint64_t alias : aliases) {
        TIDAL_ASSIGN(const Owner* owner, owner_of(alias));
        if (owner == nullptr) return std::string();
        TIDAL_ASSIGN(opened, cipher_.open(owner->secret, place, opened));
    }
    return opened;
}

Result<std::string> ArchivedRecords::open_parts(std::string_view place, RegionId region,
                                                std::string_view archived, record::Record* scratch,
                                                const OwnerOf& owner_of) const {
    Decoder in(archived);
    const std::string_view sealed = in.bytes();
    TIDAL_TRY(record::decode_record(in.rest(), region, scratch));
    if (record::personal(scratch->body) != record::Personal::kParts) {
        // A signal whose user was gone before it was sealed.
        if (sealed.empty()) return std::string(in.rest());
        return Error(ErrorCode::kCorruption, "texts of nobody are sealed");
    }
    const Owner* owner = nullptr;
    Result<void> found;
    const auto user_of = [&](const EntityId& user, HybridTime) -> std::optional<EntityId> {
        if (user.is_text()) {
            found = Error(ErrorCode::kCorruption, "an alias of the archive is a text");
            return std::nullopt;
        }
        auto known = owner_of(user.number());
        if (!known.ok()) {
            found = known.take_error();
            return std::nullopt;
        }
        owner = *known;
        return owner == nullptr ? std::nullopt : std::optional<EntityId>(owner->user);
    };
    record::replace_users(scratch, user_of);
    TIDAL_TRY(std::move(found));
    if (owner != nullptr && !sealed.empty()) {
        TIDAL_ASSIGN(const std::string bytes, cipher_.open(owner->secret, place, sealed));
        TIDAL_ASSIGN(record::PersonalTexts texts, record::decode_texts(bytes));
        if (!is_signal(scratch->body))
            return Error(ErrorCode::kCorruption, "relay rows have texts of a signal");
        record::put_texts(std::move(texts), scratch);
    }
    Encoder out;
    record::encode_record(*scratch, region, &out);
    return out.take();
}

}  // namespace tidal::api
