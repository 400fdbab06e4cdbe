// Any token through the reader of cursors: only what this key signed is accepted.

#include <cstdint>
#include <cstdlib>

#include "query/cursor.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal::query;
    static const CursorCodec kCodec(std::string(32, 'k'));
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto cursor = kCodec.decode(input)) require(kCodec.encode(*cursor) == input);
    Cursor made{.query = {1, 2},
                .now_ms = 3,
                .seed = 4,
                .shown = 5,
                .after = std::nullopt,
                .shown_hashes = {}};
    const std::string id(input.substr(0, 255));
    if (size % 2 == 0)
        made.after = PagePosition{0.5, tidal::EntityId(id)};
    else
        made.shown_hashes = {short_hash(tidal::EntityId(id))};
    if (size % 4 == 1) made.shown_groups = {{size, 1}, {size + 1, 2}};
    const auto decoded = kCodec.decode(kCodec.encode(made));
    require(decoded.ok() && *decoded == made);
    return 0;
}
