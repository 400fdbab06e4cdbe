// text/internal/shrink.h: hash tables whose entries go give their memory back.
#pragma once

#include <cstddef>

namespace tidal::text {

/// After an erase(): a table of absl keeps its room, however little is left in it. As many entries
/// went since as are looked at now, several times over.
template <typename Table>
void shrink(Table* table) {
    constexpr std::size_t kSparse = 8, kRoomMin = 64;
    if (table->capacity() > kRoomMin && table->size() * kSparse < table->capacity())
        table->rehash(0);
}

}  // namespace tidal::text
