// A library with three items, of the years 1991 to 1993, and what tests say of results.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "tidal/tidal.h"

namespace tidal {

template <typename T>
T must(Result<T> result) {
    if (!result.ok()) ADD_FAILURE() << result.error().to_string();
    return std::move(result).value();
}
inline void must(const Result<void>& result) {
    EXPECT_TRUE(result.ok()) << result.error().to_string();
}

inline Library shop(const OpenOptions& options = {}) {
    Library library = must(Library::open(options));
    for (std::uint64_t id = 1; id <= 3; ++id) {
        api::EntityWrite item;
        item.id = id;
        item.metadata = {{"title", "item " + std::to_string(id)},
                         {"year", static_cast<std::int64_t>(1990 + id)}};
        must(library.write(item));
    }
    return library;
}

}  // namespace tidal
