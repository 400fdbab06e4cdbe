#include "audience/archive_keys.h"

#include "audience/internal/hold_row.h"

namespace tidal::audience {
namespace {

constexpr std::uint8_t kArchiveKeyVersion = 1;

std::string key_row(const EntityId& user) {
    std::string key(kArchiveKeyPrefix);
    append_id(user, &key);
    return key;
}

std::string alias_row(std::uint64_t alias) {
    std::string key(kArchiveAliasPrefix);
    append_id(EntityId(alias), &key);
    return key;
}

}  // namespace

Result<std::optional<ArchiveKeys::Key>> ArchiveKeys::of(const EntityId& user) const {
    TIDAL_ASSIGN(const auto row, store_.get(key_row(user)));
    if (!row) return std::optional<Key>();
    Decoder in(*row);
    if (in.u8() != kArchiveKeyVersion) in.fail();
    Key key;
    key.alias = in.u64();
    key.secret = in.raw(record::kArchiveSecretBytes);
    TIDAL_TRY(in.finish("key of the archive"));
    return std::optional(std::move(key));
}

Result<std::optional<ArchiveKeys::Owner>> ArchiveKeys::owner(std::uint64_t alias) const {
    TIDAL_ASSIGN(const auto row, store_.get(alias_row(alias)));
    if (!row) return std::optional<Owner>();
    Owner owner;
    TIDAL_ASSIGN(owner.user, read_id(*row));
    TIDAL_ASSIGN(auto key, of(owner.user));
    if (!key || key->alias != alias)
        return Error(ErrorCode::kCorruption, "an alias of the archive is of nobody who has it")
            .with("alias", alias);
    owner.secret = std::move(key->secret);
    return std::optional(std::move(owner));
}

Result<void> ArchiveKeys::apply(const record::ArchiveKey& key) {
    const std::string row = key_row(key.user), alias = alias_row(key.alias);
    TIDAL_ASSIGN(const auto known, store_.get(row));
    TIDAL_ASSIGN(const auto taken, store_.get(alias));
    if (known || taken) return {};
    Encoder out;
    out.u8(kArchiveKeyVersion);
    out.u64(key.alias);
    out.raw(key.secret);
    store_.put(row, out.view());
    std::string user;
    append_id(key.user, &user);
    store_.put(alias, user);
    return {};
}

Result<void> ArchiveKeys::erase_user(const EntityId& user) {
    TIDAL_ASSIGN(const auto key, of(user));
    if (!key) return {};
    store_.erase(alias_row(key->alias));
    store_.erase(key_row(user));
    return {};
}

}  // namespace tidal::audience
