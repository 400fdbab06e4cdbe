// Which vshard owns an entity. The bytes hashed are part of the format: docs/formats/record.md.

#include "base/hash.h"
#include "record/record.h"

namespace tidal::record {

VShard vshard_of(TenantId tenant, EntityKind kind, const EntityId& id) {
    constexpr std::size_t kPrefix = 6;
    char buffer[kPrefix + sizeof(std::uint64_t)];
    const std::uint32_t tenant_bits = tenant.value();
    std::memcpy(buffer, &tenant_bits, sizeof tenant_bits);
    buffer[4] = static_cast<char>(kind);
    buffer[5] = id.is_text() ? 1 : 0;
    std::uint64_t hash = 0;
    if (id.is_text()) {
        hash = hash64(std::string(buffer, kPrefix) + id.text());
    } else {
        const std::uint64_t number = id.number();
        std::memcpy(buffer + kPrefix, &number, sizeof number);
        hash = hash64({buffer, sizeof buffer});
    }
    return VShard(static_cast<std::uint16_t>(hash % kVShardCount));
}

}  // namespace tidal::record
