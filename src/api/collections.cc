// Collections: their names in the catalogue, what is in them in the shards of the items.
#include "query/collections.h"

#include <algorithm>
#include <cmath>

#include "api/database.h"
#include "api/forward.h"
#include "api/internal/collections.h"
#include "api/resolve.h"
#include "base/base64url.h"
#include "base/codec.h"
#include "ranking/source_text.h"

namespace tidal::api {
namespace {

constexpr auto kCollectionKind = record::CatalogKind::kCollection;
constexpr std::size_t kMembersAtOnce = 4'096;  // inside a shard's monitor: about 200 us

using Item = CollectionItems::One;

bool before(const Item& a, const Item& b) {
    if (a.position != b.position) return a.position < b.position;
    return a.id < b.id;
}

/// The last item of a page, bound to its collection.
std::string encode_cursor(CollectionId collection, const Item& last) {
    Encoder out;
    out.u64(collection.value());
    out.f64(last.position);
    out.u8(last.id.is_text() ? 1 : 0);
    out.bytes(last.id.to_string());
    return base64url_encode(out.view());
}

Result<std::optional<Item>> decode_cursor(CollectionId collection, const std::string& text) {
    if (text.empty()) return std::optional<Item>();
    const auto bytes = base64url_decode(text);
    Decoder in(bytes ? std::string_view(*bytes) : std::string_view());
    const bool same = in.u64() == collection.value();
    Item out;
    out.position = in.f64();
    const bool is_text = in.u8() == 1;
    const std::string id(in.bytes());
    const bool digits = !id.empty() && id.size() <= 20 &&
                        std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; });
    if (!in.finish("cursor").ok() || !same || !std::isfinite(out.position) || (!is_text && !digits))
        return Error(ErrorCode::kInvalidArgument, "the cursor is of no page of this collection")
            .with_field("cursor")
            .with_reason("invalid_cursor")
            .with_hint("next_cursor of the page before, as it was");
    out.id = is_text ? EntityId(id) : EntityId(std::strtoull(id.c_str(), nullptr, 10));
    return std::optional(std::move(out));
}

/// The first of what is offered, in order.
class FirstItems {
public:
    FirstItems(std::size_t most, std::optional<Item> after)
        : most_(most), after_(std::move(after)) {}

    void offer(Item item) {
        if (after_ && !before(*after_, item)) return;
        if (heap_.size() == most_ && !before(item, heap_.front())) return;
        heap_.push_back(std::move(item));
        std::ranges::push_heap(heap_, before);
        if (heap_.size() <= most_) return;
        std::ranges::pop_heap(heap_, before);
        heap_.pop_back();
    }
    std::vector<Item> take() {
        std::ranges::sort_heap(heap_, before);
        return std::move(heap_);
    }

private:
    const std::size_t most_;
    const std::optional<Item> after_;
    std::vector<Item> heap_;  ///< The last in front.
};

/// From slot `*next` on, some. @return whether that was all.
bool offer_some(shard::ShardState& state, CollectionId id, std::uint32_t* next, FirstItems* first) {
    const auto* const in = state.collections().find(id);
    if (in == nullptr) return true;
    auto at = in->slots.begin();
    at.equalorlarger(*next);
    for (std::size_t n = 0; at != in->slots.end(); ++at, ++n) {
        if (n == kMembersAtOnce) {
            *next = *at;
            return false;
        }
        const auto& member = in->members.at(*at);
        first->offer({state.entities(EntityKind::kItem).id_of(Slot(*at)), member.position,
                      member.added.wall_ms()});
    }
    return true;
}

}  // namespace

std::vector<query::Collection> collections_in(const std::vector<shard::CatalogEntry>& entries) {
    std::vector<query::Collection> out;
    for (const shard::CatalogEntry& entry : entries) {
        if (entry.kind != kCollectionKind) continue;
        auto collection = query::parse_collection(entry.text);
        if (!collection.ok()) continue;
        collection->name = entry.name;
        collection->version = entry.version;
        collection->put_ms = entry.stamp.wall_ms();
        out.push_back(std::move(*collection));
    }
    return out;
}

Result<void> check_collections(const ranking::Profile& profile, const query::Collections& known) {
    for (const ranking::Source& source : profile.sources)
        if (source.kind == ranking::SourceKind::kCollection && known.find(source.name) == nullptr) {
            const Error why = known.unknown(source.name);
            return ranking::error_at(why.code(), profile.text, source.offset, why.message())
                .with_hint(why.hint())
                .with_reason(why.reason());
        }
    return {};
}

Result<void> check_unused(const std::string& collection, const ranking::ProfileRegistry& profiles) {
    for (const ranking::ProfileListing& listing : profiles.list(EntityKind::kItem)) {
        const auto profile = ranking::parse_profile(listing.text);
        if (!profile.ok()) continue;
        for (const ranking::Source& source : profile->sources)
            if (source.kind == ranking::SourceKind::kCollection && source.name == collection)
                return Error(ErrorCode::kConflict, "the profile `" + profile->name_and_version() +
                                                       "` takes candidates from collection `" +
                                                       collection + "`")
                    .with_field("name")
                    .with_reason("collection_in_use")
                    .with_hint("retire the profile first");
    }
    return {};
}

std::shared_ptr<const query::Collections> Database::collections() const {
    const std::lock_guard lock(mutex_);
    return collections_;
}

void Database::put_collection(std::string name, std::string description, CatalogDone done) {
    change_catalog(
        false,
        [this, name = std::move(name), description = std::move(description)] {
            return make_collection(name, description);
        },
        std::move(done));
}

Result<Database::CatalogChange> Database::make_collection(const std::string& name,
                                                          const std::string& description) {
    TIDAL_TRY(query::check_collection_name(name));
    if (description.size() > query::kDescriptionBytesMax)
        return Error(ErrorCode::kInvalidArgument, "a description has at most 4096 bytes")
            .with_field("description");
    const std::vector<query::Collection> all = collections_in(catalog_entries());
    const auto found = std::ranges::find(all, name, &query::Collection::name);
    std::uint32_t version = shards_[0]->with_state(
        [&](shard::ShardState& state) { return state.catalog().newest(kCollectionKind, name); });
    query::Collection wanted;
    if (found != all.end()) wanted.id = found->id;
    if (found == all.end() || found->description != description) ++version;
    if (found == all.end()) {
        wanted.id = query::collection_id(name, version);
        if (all.size() >= query::kCollectionCountMax)
            return Error(ErrorCode::kTooLarge, "there are as many collections as may be")
                .with_field("name")
                .with_reason("too_many_collections")
                .with("most", query::kCollectionCountMax)
                .with_hint("delete some first");
    }
    wanted.description = description;
    return CatalogChange{{kCollectionKind, name, version, query::print_collection(wanted)}, {}};
}

void Database::delete_collection(const std::string& name, Done done) {
    // Of the version that is retired: one made anew behind it has another.
    auto id = std::make_shared<CollectionId>();
    change_catalog(
        false,
        [this, name, id]() -> Result<CatalogChange> {
            const query::Collections known(collections_in(catalog_entries()));
            const query::Collection* const found = known.find(name);
            if (found == nullptr) return no_collection(known, name);
            *id = found->id;
            return make_retirement(kCollectionKind, name);
        },
        [this, name, id, done = std::move(done)](Result<CatalogReply> retired) mutable {
            if (!retired.ok()) return done(retired.take_error());
            // Described anew before it was retired, which it was not: its members are still its.
            const std::vector<query::Collection> all = collections_in(catalog_entries());
            if (!retired->created &&
                std::ranges::find(all, *id, &query::Collection::id) != all.end())
                return delete_collection(name, std::move(done));
            auto left = std::make_shared<std::atomic<std::size_t>>(shards_.size() - 1);
            auto shared = std::make_shared<Done>(std::move(done));
            // What a shard cannot do now it does later: drop_lost_collections().
            for (std::size_t at = 1; at < shards_.size(); ++at)
                drop_collection(shards_[at]->id(), *id, [left, shared](Result<void>) {
                    if (left->fetch_sub(1) == 1) (*shared)({});
                });
        });
}

/// In steps, so that no record holds the monitor for long.
void Database::drop_collection(ShardId shard, CollectionId collection, Done done) {
    Proposal proposal;
    proposal.shard = shard;
    proposal.concern = concern_of({});
    record::Record& record = proposal.records.emplace_back();
    record.envelope.schema_version = schema()->version;
    record.body = record::CollectionMemberBody{
        record::CollectionMemberBody::Change::kDropAll, collection, {}, 0};
    route(std::move(proposal), CallContext().timeout_ms,
          [this, shard, collection,
           done = std::move(done)](Result<std::vector<shard::Outcome>> outcomes) mutable {
              if (!outcomes.ok()) return done(outcomes.take_error());
              const shard::Outcome& outcome = outcomes->front();
              if (!outcome.ok()) return done(Error(*outcome.refused));
              if (outcome.mark == 0) return done({});
              drop_collection(shard, collection, std::move(done));
          });
}

void Database::drop_lost_collections(ShardId shard) {
    if (!check_readable(shard).ok()) return;
    const auto known = collections();
    auto lost = this->shard(shard).with_state(
        [](shard::ShardState& state) { return state.collections().ids(); });
    const auto forget_known = [&lost](const query::Collections& named) {
        for (const query::Collection& each : named.all()) std::erase(lost, each.id);
    };
    forget_known(*known);
    if (lost.empty()) return;
    // Whatever is in a shard was named before: who knows all names knows which are gone.
    with_newest_catalog([this, shard, lost](Result<void> fenced) mutable {
        if (!fenced.ok()) return;
        const auto entries = catalog_entries();
        const auto named = collections_in(entries);
        // One that this version cannot read is there all the same: then nobody knows what is gone.
        if (std::ranges::count(entries, kCollectionKind, &shard::CatalogEntry::kind) !=
            std::ssize(named))
            return;
        for (const query::Collection& each : named) std::erase(lost, each.id);
        for (const CollectionId id : lost) drop_collection(shard, id, [](Result<void>) {});
    });
}

Result<std::uint64_t> Database::items_in(CollectionId collection) {
    std::uint64_t out = 0;
    for (std::size_t id = 1; id < shards_.size(); ++id)
        out += shards_[id]->with_state([&](shard::ShardState& state) -> std::uint64_t {
            const auto* const in = state.collections().find(collection);
            return in == nullptr ? 0 : in->members.size();
        });
    return out;
}

Result<std::vector<CollectionReply>> Database::collection_list() {
    TIDAL_TRY(check_readable());
    std::vector<CollectionReply> out;
    for (const auto known = collections(); const query::Collection& each : known->all()) {
        TIDAL_ASSIGN(const std::uint64_t items, items_in(each.id));
        out.push_back({each, items});
    }
    return out;
}

Result<CollectionReply> Database::collection(const std::string& name) {
    TIDAL_TRY(check_readable());
    const auto known = collections();
    const query::Collection* const found = known->find(name);
    if (found == nullptr) return no_collection(*known, name);
    TIDAL_ASSIGN(const std::uint64_t items, items_in(found->id));
    return CollectionReply{*found, items};
}

Result<CollectionItems> Database::collection_items(const CollectionItemsRequest& request) {
    TIDAL_TRY(check_readable());
    if (request.limit < 1 || request.limit > kCollectionItemsMax)
        return Error(ErrorCode::kInvalidArgument, "limit out of range")
            .with_field("limit")
            .with_hint("1 to " + std::to_string(kCollectionItemsMax));
    const auto known = collections();
    const query::Collection* const found = known->find(request.name);
    if (found == nullptr) return no_collection(*known, request.name);
    TIDAL_ASSIGN(auto after, decode_cursor(found->id, request.cursor));
    FirstItems first(request.limit + std::size_t{1}, std::move(after));
    for (std::size_t id = 1; id < shards_.size(); ++id) {
        std::uint32_t next = 0;
        for (bool all = false; !all;)
            all = shards_[id]->with_state([&](shard::ShardState& state) {
                return offer_some(state, found->id, &next, &first);
            });
    }
    CollectionItems out{first.take(), {}};
    if (out.items.size() <= request.limit) return out;
    out.items.pop_back();
    out.next_cursor = encode_cursor(found->id, out.items.back());
    return out;
}

}  // namespace tidal::api
