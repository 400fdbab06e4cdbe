// http/feed_text.h: a page as JSON text, written without a tree in between: most of what a short
// answer costs.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "api/types.h"

namespace tidal::http {

/// What the items of a page show of `metadata` and of the fixed fields: looked up once for all.
struct ShownFields {
    /// @param fields  nullptr = all. They outlive this.
    explicit ShownFields(const std::set<std::string>* fields = nullptr);

    const std::set<std::string>* names;
    bool creator_id, created_at, publish_at, expires_at;
};

/// {"entity_id":1,"rank":1,"score":2.5,"metadata":{...},"creator_id":...,...}
void append_feed_item(const api::FeedItem& item, std::string* out, const ShownFields& fields);
/// ,"next_cursor":null,"profile":...: what every page says behind its items.
/// @param staleness_ms  nullopt = not known.
void append_feed_facts(const api::FeedReply& reply, std::optional<std::uint64_t> staleness_ms,
                       std::string* out);

}  // namespace tidal::http
