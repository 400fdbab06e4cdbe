#include "api/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "api/database.h"
#include "base/base64url.h"
#include "runtime/secret.h"

namespace tidal::api {
namespace {

constexpr std::string_view kKeyPrefix = "tdk1.";
constexpr std::size_t kKeyBytes = 32;

std::string sha256(std::string_view bytes) {
    std::string hash(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
           reinterpret_cast<unsigned char*>(hash.data()));
    return hash;
}

}  // namespace

std::string_view key_role_name(KeyRole role) {
    return cluster::api_role_name(role);
}

Result<KeyRole> parse_key_role(std::string_view name) {
    for (const KeyRole role : {KeyRole::kReader, KeyRole::kWriter, KeyRole::kAdmin})
        if (key_role_name(role) == name) return role;
    return Error(ErrorCode::kInvalidArgument, "no such role: '" + std::string(name) + "'")
        .with_field("role")
        .with_hint("reader, writer or admin");
}

void Database::create_api_key(const std::string& name, KeyRole role,
                              absl::AnyInvocable<void(Result<NewApiKey>)> done) {
    auto secret = runtime::secret_bytes(kKeyBytes);
    if (!secret.ok()) return done(secret.take_error());
    const std::string key = std::string(kKeyPrefix) + base64url_encode(*secret);
    cluster::ApiKeyRecord record;
    record.id = name;
    record.hash = sha256(key);
    record.role = role;
    record.created_ms = runtime_.clock().wall_ms();
    if (auto checked = cluster::check_api_key(record); !checked.ok())
        return done(std::move(checked.take_error()).with_field("name"));
    NewApiKey made{{name, role, record.created_ms}, key};
    // Version 1 is there once: whoever comes second has another text.
    put_catalog({record::CatalogKind::kApiKey, name, 1, cluster::print_api_key(record)}, {},
                [made = std::move(made), done = std::move(done)](Result<CatalogReply> put) mutable {
                    if (put.ok()) return done(std::move(made));
                    if (put.error().code() != ErrorCode::kConflict) return done(put.take_error());
                    done(Error(ErrorCode::kConflict, "there is or was a key of this name")
                             .with_field("name")
                             .with_reason("key_exists")
                             .with_hint("give it another name"));
                });
}

void Database::revoke_api_key(const std::string& name, Done done) {
    retire(record::CatalogKind::kApiKey, name, std::move(done));
}

void Database::publish_api_keys(const std::vector<shard::CatalogEntry>& entries) {
    auto infos = std::make_shared<std::vector<ApiKeyInfo>>();
    auto hashes = std::make_shared<std::vector<std::string>>();
    for (const shard::CatalogEntry& entry : entries) {
        if (entry.kind != record::CatalogKind::kApiKey) continue;
        auto key = cluster::parse_api_key(entry.text);
        if (!key.ok()) continue;  // of a later version: it lets nobody in here
        infos->push_back({key->id, key->role, key->created_ms});
        hashes->push_back(std::move(key->hash));
    }
    const std::lock_guard lock(mutex_);
    api_keys_ = std::move(infos);
    api_key_hashes_ = std::move(hashes);
}

std::vector<ApiKeyInfo> Database::api_keys() const {
    const std::lock_guard lock(mutex_);
    return api_keys_ == nullptr ? std::vector<ApiKeyInfo>() : *api_keys_;
}

bool Database::has_api_keys() const {
    const std::lock_guard lock(mutex_);
    return api_keys_ != nullptr && !api_keys_->empty();
}

Result<ApiKeyInfo> Database::check_api_key(std::string_view key) const {
    std::shared_ptr<const std::vector<ApiKeyInfo>> infos;
    std::shared_ptr<const std::vector<std::string>> hashes;
    {
        const std::lock_guard lock(mutex_);
        infos = api_keys_;
        hashes = api_key_hashes_;
    }
    const std::string hash = sha256(key);
    const ApiKeyInfo* found = nullptr;
    for (std::size_t i = 0; hashes != nullptr && i < hashes->size(); ++i)
        if (CRYPTO_memcmp((*hashes)[i].data(), hash.data(), hash.size()) == 0) found = &(*infos)[i];
    if (found != nullptr) return *found;
    return Error(ErrorCode::kUnauthenticated, "no such API key");
}

}  // namespace tidal::api
