// http/feed_text.h: the items of a page as JSON text, written without a tree in between: most of
// what a short answer costs.
#pragma once

#include <string>

#include "api/types.h"

namespace tidal::http {

/// {"entity_id":1,"rank":1,"score":2.5,"metadata":{...},"creator_id":...,...}
void append_feed_item(const api::FeedItem& item, std::string* out);

}  // namespace tidal::http
