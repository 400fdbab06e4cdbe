#include "shard/catalog.h"

#include <algorithm>

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

constexpr bool only_newest_kept(record::CatalogKind kind) {
    return kind == record::CatalogKind::kModel || kind == record::CatalogKind::kSynonyms ||
           kind == record::CatalogKind::kPolicy || kind == record::CatalogKind::kCollection ||
           record::is_of_cluster(kind);
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
        case record::CatalogKind::kMember:
            return "member";
        case record::CatalogKind::kJoinToken:
            return "join token";
        case record::CatalogKind::kApiKey:
            return "API key";
        case record::CatalogKind::kSynonyms:
            return "synonyms";
        case record::CatalogKind::kCohort:
            return "cohort";
        case record::CatalogKind::kPolicy:
            return "policy";
        case record::CatalogKind::kCollection:
            return "collection";
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
        catalog.newest_stamp_ = std::max(catalog.newest_stamp_, version.stamp);
        read = in.finish("catalogue row");
        Use& use = catalog.use_of(kind);
        ++use.entries;
        use.bytes += name.size() + version.text.size();
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
        TIDAL_TRY(check_unchanged(body));
        const std::string_view how =
            found->second.retired ? ", which is retired" : ", with another text";
        return Error(ErrorCode::kConflict, std::string(name_of(body.kind)) + " `" + body.name +
                                               "` has a version " + std::to_string(body.version) +
                                               " already" + std::string(how))
            .with_field("version")
            .with_reason("version_exists")
            .with_hint("the next free one is " + std::to_string(newest(body.kind, body.name) + 1));
    }
    TIDAL_TRY(check_unchanged(body));
    if (const std::uint32_t last = newest(body.kind, body.name); body.version < last)
        return Error(ErrorCode::kConflict, "a new version of `" + body.name +
                                               "` must be above its newest, " +
                                               std::to_string(last))
            .with_field("version")
            .with_reason("version_not_newest");
    TIDAL_TRY(check_room(body));
    Use& use = use_of(body.kind);
    ++use.entries;
    use.bytes += body.name.size() + body.text->size();
    Version& version = versions_[key];
    version.text = *body.text;
    version.stamp = stamp;
    newest_stamp_ = stamp;
    write_row(key, version);
    if (only_newest_kept(body.kind)) forget_below(key);
    return true;
}

/// What changes nothing passes without this: a record that is proposed again after a change of
/// leaders finds itself.
Result<void> Catalog::check_unchanged(const record::CatalogBody& body) const {
    if (!body.since || *body.since == newest_stamp_) return {};
    return Error(ErrorCode::kConflict, "something else was put or retired meanwhile")
        .with_reason(kCatalogChanged)
        .with_hint("send it again");
}

Result<void> Catalog::check_room(const record::CatalogBody& body) const {
    const bool of_cluster = record::is_of_cluster(body.kind);
    Use after = use_[of_cluster];
    ++after.entries;
    after.bytes += body.name.size() + body.text->size();
    // A node that changes its address takes no room. (Of models this was not so from the start, and
    // a log has to give the same answers for ever.)
    const auto old = versions_.lower_bound(Key(body.kind, body.name, 0));
    if (of_cluster && old != versions_.end() && std::get<0>(old->first) == body.kind &&
        std::get<1>(old->first) == body.name) {
        --after.entries;
        after.bytes -= body.name.size() + old->second.text.size();
    }
    if (after.entries <= kCatalogEntriesMax && after.bytes <= kCatalogBytesMax) return {};
    return Error(ErrorCode::kTooLarge, "the catalogue is full")
        .with("entries", use_[of_cluster].entries)
        .with("entries_max", kCatalogEntriesMax)
        .with("bytes", use_[of_cluster].bytes)
        .with("bytes_max", kCatalogBytesMax);
}

void Catalog::forget_below(const Key& key) {
    const auto& [kind, name, number] = key;
    for (auto at = versions_.lower_bound(Key(kind, name, 0)); at->first < key;) {
        Use& use = use_of(kind);
        --use.entries;
        use.bytes -= name.size() + at->second.text.size();
        store_->erase(row_key(kind, name, std::get<2>(at->first)));
        at = versions_.erase(at);
    }
}

/// Put anew since, in another version: a record that is proposed again must not send its door
/// round, which would retire what it never saw. Where only the newest version is kept it may also
/// have been replaced before it was retired; then this comes as though it had been in between.
bool Catalog::is_over(const record::CatalogBody& body, std::uint32_t last) const {
    if (body.version >= last) return false;
    if (only_newest_kept(body.kind)) return true;  // It, and all below it, are forgotten.
    const auto found = versions_.find(Key(body.kind, body.name, body.version));
    return found != versions_.end() && found->second.retired;
}

Result<bool> Catalog::retire(const record::CatalogBody& body, HybridTime stamp) {
    const std::uint32_t last = newest(body.kind, body.name);
    const auto newest_version = versions_.find(Key(body.kind, body.name, last));
    if (last == body.version && newest_version->second.retired) return false;
    if (is_over(body, last)) return false;
    TIDAL_TRY(check_unchanged(body));
    if (last == 0)
        return Error(ErrorCode::kNotFound,
                     "no " + std::string(name_of(body.kind)) + " `" + body.name + "` was made here")
            .with_field("name");
    bool changed = false;
    for (auto at = versions_.lower_bound(Key(body.kind, body.name, 0));
         at != versions_.end() && at->first <= Key(body.kind, body.name, body.version); ++at) {
        if (at->second.retired) continue;
        use_of(body.kind).bytes -= at->second.text.size();
        at->second = {.retired = true, .text = "", .stamp = stamp};
        newest_stamp_ = stamp;
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

std::vector<CatalogEntry> Catalog::entries(record::CatalogKind kind) const {
    std::vector<CatalogEntry> out;
    for (auto at = versions_.lower_bound(Key(kind, "", 0));
         at != versions_.end() && std::get<0>(at->first) == kind; ++at)
        if (!at->second.retired)
            out.push_back({kind, std::get<1>(at->first), std::get<2>(at->first), at->second.text,
                           at->second.stamp});
    return out;
}

std::vector<std::string> Catalog::names(record::CatalogKind kind) const {
    std::vector<std::string> out;
    for (auto at = versions_.lower_bound(Key(kind, "", 0));
         at != versions_.end() && std::get<0>(at->first) == kind; ++at)
        if (out.empty() || out.back() != std::get<1>(at->first))
            out.push_back(std::get<1>(at->first));
    return out;
}

}  // namespace tidal::shard
