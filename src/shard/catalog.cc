#include "shard/catalog.h"

#include "base/codec.h"

namespace tidal::shard {
namespace {

constexpr std::string_view kPrefix = "g/";

/// The name, a byte no name holds, the version so that versions sort by number.
std::string row_key(record::CatalogKind kind, const std::string& name, std::uint32_t number) {
    std::string key =
        std::string(kPrefix) + static_cast<char>('0' + static_cast<int>(kind)) + name + '\0';
    for (int shift = 24; shift >= 0; shift -= 8) key += static_cast<char>(number >> shift);
    return key;
}

}  // namespace

std::string_view name_of(record::CatalogKind kind) {
    switch (kind) {
        case record::CatalogKind::kProfile:
            return "profile";
        case record::CatalogKind::kExperiment:
            return "experiment";
        case record::CatalogKind::kModel:
            return "model";
    }
    return "";
}

Result<Catalog> Catalog::open(storage::ShardStore& store) {
    Catalog catalog(store);
    Result<void> read;
    TIDAL_TRY(store.scan(kPrefix, [&](std::string_view, std::string_view row) {
        Decoder in(row);
        const auto kind = static_cast<record::CatalogKind>(in.u8());
        std::string name(in.bytes());
        const auto number = static_cast<std::uint32_t>(in.varint());
        Version version;
        version.retired = in.u8() != 0;
        version.stamp = HybridTime::from_bits(in.u64());
        version.text = in.bytes();
        read = in.finish("catalogue row");
        catalog.bytes_ += name.size() + version.text.size();
        catalog.versions_.emplace(Key(kind, std::move(name), number), std::move(version));
        return read.ok();
    }));
    TIDAL_TRY(std::move(read));
    return catalog;
}

std::uint32_t Catalog::newest(record::CatalogKind kind, const std::string& name) const {
    const auto after = versions_.upper_bound(Key(kind, name, UINT32_MAX));
    if (after == versions_.begin()) return 0;
    const auto& [found_kind, found_name, version] = std::prev(after)->first;
    return found_kind == kind && found_name == name ? version : 0;
}

void Catalog::write_row(const Key& key, const Version& version) {
    const auto& [kind, name, number] = key;
    Encoder out;
    out.u8(static_cast<std::uint8_t>(kind));
    out.bytes(name);
    out.varint(number);
    out.u8(version.retired ? 1 : 0);
    out.u64(version.stamp.bits());
    out.bytes(version.text);
    store_->put(row_key(kind, name, number), out.view());
}

Result<bool> Catalog::apply(const record::CatalogBody& body, HybridTime stamp) {
    return body.text ? put(body, stamp) : retire(body, stamp);
}

Result<bool> Catalog::put(const record::CatalogBody& body, HybridTime stamp) {
    const Key key(body.kind, body.name, body.version);
    if (const auto found = versions_.find(key); found != versions_.end()) {
        if (!found->second.retired && found->second.text == *body.text) return false;
        return Error(ErrorCode::kConflict, std::string(name_of(body.kind)) + " `" + body.name +
                                               "` has a version " + std::to_string(body.version) +
                                               " already, with another text")
            .with_field("version")
            .with_reason("version_exists")
            .with_hint("the next free one is " + std::to_string(newest(body.kind, body.name) + 1));
    }
    if (const std::uint32_t last = newest(body.kind, body.name); body.version < last)
        return Error(ErrorCode::kConflict, "a new version of `" + body.name +
                                               "` must be above its newest, " +
                                               std::to_string(last))
            .with_field("version")
            .with_reason("version_not_newest");
    const std::uint64_t bytes = body.name.size() + body.text->size();
    if (versions_.size() >= kCatalogEntriesMax || bytes_ + bytes > kCatalogBytesMax)
        return Error(ErrorCode::kTooLarge, "the catalogue is full")
            .with("entries", versions_.size())
            .with("entries_max", kCatalogEntriesMax)
            .with("bytes", bytes_)
            .with("bytes_max", kCatalogBytesMax);
    bytes_ += bytes;
    Version& version = versions_[key];
    version.text = *body.text;
    version.stamp = stamp;
    write_row(key, version);
    if (body.kind == record::CatalogKind::kModel) forget_below(key);
    return true;
}

void Catalog::forget_below(const Key& key) {
    const auto& [kind, name, number] = key;
    for (auto at = versions_.lower_bound(Key(kind, name, 0)); at->first < key;) {
        bytes_ -= name.size() + at->second.text.size();
        store_->erase(row_key(kind, name, std::get<2>(at->first)));
        at = versions_.erase(at);
    }
}

Result<bool> Catalog::retire(const record::CatalogBody& body, HybridTime stamp) {
    const std::uint32_t last = newest(body.kind, body.name);
    if (last == 0)
        return Error(ErrorCode::kNotFound,
                     "no " + std::string(name_of(body.kind)) + " `" + body.name + "` was made here")
            .with_field("name");
    bool changed = false;
    for (auto at = versions_.lower_bound(Key(body.kind, body.name, 0));
         at != versions_.end() && at->first <= Key(body.kind, body.name, body.version); ++at) {
        if (at->second.retired) continue;
        bytes_ -= at->second.text.size();
        at->second = {.retired = true, .text = "", .stamp = stamp};
        write_row(at->first, at->second);
        changed = true;
    }
    return changed;
}

std::vector<CatalogEntry> Catalog::entries() const {
    std::vector<CatalogEntry> out;
    for (const auto& [key, version] : versions_)
        if (!version.retired)
            out.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), version.text,
                           version.stamp});
    return out;
}

}  // namespace tidal::shard
