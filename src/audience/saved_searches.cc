#include "audience/saved_searches.h"

#include "audience/internal/hold_row.h"

namespace tidal::audience {
namespace {

using Search = SavedSearches::Search;

constexpr std::uint8_t kSavedSearchVersion = 1;

std::string encode(const Search& search) {
    Encoder out;
    out.u8(kSavedSearchVersion);
    out.u64(search.saved.bits());
    out.u64(search.looked.bits());
    out.bytes(search.text);
    return out.take();
}

Result<Search> decode(std::string_view name, std::string_view row) {
    Decoder in(row);
    Search out;
    out.name = name;
    if (in.u8() != kSavedSearchVersion) in.fail();
    out.saved = HybridTime::from_bits(in.u64());
    out.looked = HybridTime::from_bits(in.u64());
    out.text = in.bytes();
    TIDAL_TRY(in.finish("saved search"));
    return out;
}

}  // namespace

Result<std::vector<Search>> SavedSearches::of(const EntityId& user) const {
    std::vector<Search> out;
    Result<void> read;
    const std::string prefix = user_prefix(kSearchPrefix, user);
    TIDAL_TRY(store_.scan(prefix, [&](std::string_view key, std::string_view row) {
        auto search = decode(key.substr(prefix.size()), row);
        if (search.ok())
            out.push_back(std::move(*search));
        else
            read = search.take_error();
        return read.ok();
    }));
    TIDAL_TRY(std::move(read));
    return out;
}

Result<std::optional<Search>> SavedSearches::find(const EntityId& user,
                                                  const std::string& name) const {
    TIDAL_ASSIGN(const auto row, store_.get(user_prefix(kSearchPrefix, user) + name));
    if (!row) return std::optional<Search>();
    TIDAL_ASSIGN(Search search, decode(name, *row));
    return std::optional(std::move(search));
}

Result<void> SavedSearches::apply(const record::SavedSearchBody& body, HybridTime stamp) {
    TIDAL_ASSIGN(auto known, find(body.user, body.name));
    if (!known && !body.text)
        return Error(ErrorCode::kNotFound, "no saved search `" + body.name + "`")
            .with_field("name")
            .with_reason("unknown_saved_search");
    const std::string key = user_prefix(kSearchPrefix, body.user) + body.name;
    if (!body.text && !body.looked) {
        store_.erase(key);
        return {};
    }
    if (!known) {
        TIDAL_ASSIGN(const auto all, of(body.user));
        if (all.size() >= kEachMax)
            return Error(ErrorCode::kOverloaded, "the user keeps as many searches as one may")
                .with_reason("too_many_saved_searches")
                .with("most", kEachMax)
                .with_hint("end some first");
        known = Search{body.name, {}, stamp, stamp};
    }
    if (body.looked) known->looked = std::max(known->looked, stamp);
    if (body.text) known->text = *body.text;
    store_.put(key, encode(*known));
    return {};
}

Result<void> SavedSearches::erase_user(const EntityId& user) {
    std::vector<std::string> keys;
    TIDAL_TRY(
        store_.scan(user_prefix(kSearchPrefix, user), [&](std::string_view key, std::string_view) {
            keys.emplace_back(key);
            return true;
        }));
    for (const std::string& key : keys) store_.erase(key);
    return {};
}

}  // namespace tidal::audience
