#include "api/internal/personal_archive.h"

#include <absl/container/node_hash_map.h>

#include <algorithm>
#include <map>
#include <utility>

#include "api/database.h"
#include "api/forward.h"
#include "record/personal.h"
#include "shard/batch_records.h"

namespace tidal::api {
namespace {

using audience::ArchiveKeys;

constexpr std::size_t kSliceUsers = 64;  // of a look into a shard: some 200 us
constexpr std::size_t kAskedBytes = 1 << 20;
constexpr std::uint64_t kAskTimeoutMs = 10'000;
constexpr std::size_t kOwnersKept = 100'000;  // some 12 MiB a reader
constexpr std::size_t kDrawnBytes = 8 + record::kArchiveSecretBytes;

Error not_yet(std::string_view why) {
    return Error(ErrorCode::kUnavailable, std::string(why)).with_reason("sealing_waits");
}

}  // namespace

Result<std::unique_ptr<PersonalArchive>> PersonalArchive::make(Database& database) {
    TIDAL_ASSIGN(ArchiveCipher cipher, ArchiveCipher::make());
    return std::unique_ptr<PersonalArchive>(new PersonalArchive(database, std::move(cipher)));
}

Result<std::vector<PersonalArchive::Sealed>> PersonalArchive::seal(std::span<const Batch> batches) {
    if (!begun_) return not_yet("the shards have not started");
    Users users;
    for (const Batch& batch : batches) TIDAL_TRY(gather(batch, &users));
    std::map<ShardId, std::vector<Place*>> by_home;
    for (Place& place : users) {
        const VShard vshard = record::vshard_of(kDefaultTenant, EntityKind::kUser, place.first);
        by_home[database_.shard_of(vshard)].push_back(&place);
    }
    bool waits = false;
    for (auto& [home, places] : by_home) {
        // What is drawn for whom does not depend on a hash.
        std::ranges::sort(places, {},
                          [](const Place* place) -> const EntityId& { return place->first; });
        if (auto looked = look_up(home, places); !looked.ok()) {
            if (looked.error().code() != ErrorCode::kUnavailable) return looked.take_error();
            waits = true;
            continue;
        }
        TIDAL_ASSIGN(const bool missing, ask_for_missing(home, places));
        waits = waits || missing;
    }
    if (waits) return not_yet("keys of users are being made");
    std::vector<Sealed> out;
    for (const Batch& batch : batches) TIDAL_TRY(seal(batch, users, &out));
    return out;
}

Result<void> PersonalArchive::gather(const Batch& batch, Users* users) {
    return shard::visit_records(
        batch.header, batch.payload, [&](const record::Record& record) -> Result<void> {
            record::visit_users(record, [&](const EntityId& user, HybridTime stamp) {
                Named& named = (*users)[user];
                named.newest = std::max(named.newest, stamp);
            });
            return {};
        });
}

/// In slices: writes and reads go on in between.
Result<void> PersonalArchive::look_up(ShardId home, std::span<Place* const> users) {
    while (!users.empty()) {
        const auto slice = users.first(std::min(kSliceUsers, users.size()));
        users = users.subspan(slice.size());
        TIDAL_TRY(database_.check_readable(home));
        TIDAL_TRY(database_.shard(home).with_state([&](shard::ShardState& state) -> Result<void> {
            for (Place* const place : slice) {
                place->second.erased = state.tastes().erased(place->first);
                TIDAL_ASSIGN(place->second.key, state.archive_keys().of(place->first));
            }
            return {};
        }));
    }
    return {};
}

/// @return whether a key is missing.
Result<bool> PersonalArchive::ask_for_missing(ShardId home, std::span<Place* const> users) {
    {
        const std::lock_guard lock(mutex_);
        if (asked_.contains(home)) return true;
    }
    std::vector<record::ArchiveKey> keys;
    std::size_t bytes = 0;
    for (const Place* const place : users) {
        if (!place->second.lacks_key()) continue;
        record::ArchiveKey& key = keys.emplace_back();
        key.user = place->first;
        key.newest = place->second.newest;
        constexpr std::size_t kKeyBytes = 64;
        bytes += kKeyBytes + (place->first.is_text() ? place->first.text().size() : 0);
        if (bytes >= kAskedBytes) break;
    }
    if (keys.empty()) return false;
    TIDAL_ASSIGN(const std::string drawn,
                 database_.runtime_.random().secret_bytes(kDrawnBytes * keys.size()));
    Decoder in(drawn);
    for (record::ArchiveKey& key : keys) {
        key.alias = record::alias_in(home, in.u64());
        key.secret = in.raw(record::kArchiveSecretBytes);
    }
    ask(home, std::move(keys));
    return true;
}

void PersonalArchive::ask(ShardId home, std::vector<record::ArchiveKey> keys) {
    {
        const std::lock_guard lock(mutex_);
        if (!asked_.insert(home).second) return;
    }
    Proposal proposal;
    proposal.shard = home;
    proposal.concern = database_.concern_of({});
    for (std::size_t at = 0; at < keys.size(); at += record::kArchiveKeysMax) {
        const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(at);
        const std::size_t count = std::min(record::kArchiveKeysMax, keys.size() - at);
        record::ArchiveKeysBody body;
        body.keys.assign(std::move_iterator(begin),
                         std::move_iterator(begin + static_cast<std::ptrdiff_t>(count)));
        proposal.records.emplace_back().body = std::move(body);
    }
    database_.route(
        std::move(proposal), kAskTimeoutMs,
        [this, home](const Result<std::vector<shard::Outcome>>& outcomes) {
            if (!outcomes.ok()) return answered(home, false);
            // A replica that lags has yet to apply them.
            database_.shard(home).when_applied(
                outcomes->back().index, kAskTimeoutMs,
                [this, home](const Result<void>& applied) { answered(home, applied.ok()); });
        });
}

/// After a failure the next checkpoint tries again.
void PersonalArchive::answered(ShardId home, bool resume) {
    {
        const std::lock_guard lock(mutex_);
        asked_.erase(home);
    }
    if (resume) database_.log_->resume_sealing();
}

/// One that would grow beyond what a batch holds becomes several.
Result<void> PersonalArchive::seal(const Batch& batch, const Users& users,
                                   std::vector<Sealed>* out) const {
    const KeyOf key_of = [&](const EntityId& user, HybridTime stamp) {
        return users.at(user).key_at(stamp);
    };
    Encoder payload;
    record::Record scratch;
    Sealed part{batch.header, {}};
    const auto close = [&](LogIndex behind, HybridTime stamp) {
        part.header.count =
            static_cast<std::uint32_t>(behind.value() - part.header.first_index.value());
        part.header.stamp = stamp;
        part.payload = payload.take();
        payload = Encoder();
        out->push_back(part);
        part.header.first_index = behind;
    };
    Decoder in(batch.payload);
    HybridTime stamp;
    for (std::uint32_t i = 0; i < batch.header.count; ++i) {
        const LogIndex index(batch.header.first_index.value() + i);
        const std::string_view bytes = in.bytes();
        TIDAL_TRY(record::decode_record(bytes, batch.header.region, &scratch));
        const HybridTime next_stamp = scratch.envelope.stamp;
        TIDAL_ASSIGN(const std::string sealed,
                     records_.seal(batch.header, index, bytes, &scratch, key_of));
        constexpr std::size_t kLengthBytes = 4;
        if (kLengthBytes + sealed.size() > wal::kBatchPayloadBytesMax)
            return Error(ErrorCode::kTooLarge, "a record, sealed, is larger than a batch may be")
                .with("shard", batch.header.shard.value())
                .with("index", index.value());
        if (payload.size() > 0 &&
            payload.size() + kLengthBytes + sealed.size() > wal::kBatchPayloadBytesMax)
            close(index, stamp);
        payload.bytes(sealed);
        stamp = next_stamp;
    }
    TIDAL_TRY(in.finish("log batch"));
    close(batch.header.last_index().next(), batch.header.stamp);
    return {};
}

/// Asks each shard once for whom an alias stands, as long as it reads.
class PersonalArchive::AliasReader final : public wal::ArchiveCodec::Reader {
public:
    explicit AliasReader(PersonalArchive& archive) : archive_(archive) {}

    Result<std::string> open(const wal::BatchHeader& header, std::string_view sealed) override {
        const OwnerOf owner_of = [this](std::uint64_t alias) { return find(alias); };
        Encoder payload;
        Decoder in(sealed);
        for (std::uint32_t i = 0; i < header.count; ++i) {
            const LogIndex index(header.first_index.value() + i);
            const std::string_view archived = in.bytes();
            if (in.failed()) break;
            TIDAL_ASSIGN(const std::string bytes,
                         archive_.records_.open(header, index, archived, &scratch_, owner_of));
            payload.bytes(bytes);
        }
        TIDAL_TRY(in.finish("batch of the archive"));
        return payload.take();
    }

private:
    Result<const ArchiveKeys::Owner*> find(std::uint64_t alias) {
        if (owners_.size() >= kOwnersKept) owners_.clear();
        auto found = owners_.find(alias);
        if (found == owners_.end()) {
            TIDAL_ASSIGN(auto owner, ask(alias));
            found = owners_.emplace(alias, std::move(owner)).first;
        }
        return found->second ? &*found->second : nullptr;
    }
    Result<std::optional<ArchiveKeys::Owner>> ask(std::uint64_t alias) {
        Database& database = archive_.database_;
        const ShardId home = record::shard_of_alias(alias);
        if (home.value() >= database.shards_.size()) return std::optional<ArchiveKeys::Owner>();
        TIDAL_TRY(database.check_readable(home));
        return database.shard(home).with_state(
            [&](shard::ShardState& state) { return state.archive_keys().owner(alias); });
    }

    PersonalArchive& archive_;
    record::Record scratch_;
    absl::node_hash_map<std::uint64_t, std::optional<ArchiveKeys::Owner>> owners_;
};

std::unique_ptr<wal::ArchiveCodec::Reader> PersonalArchive::reader() {
    return std::make_unique<AliasReader>(*this);
}

}  // namespace tidal::api
