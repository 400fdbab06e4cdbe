// A budget of memory for the process that the library is in.
#include <gtest/gtest.h>

#include "embed/tests/on_disk.h"
#include "embed/tests/shop.h"

namespace tidal {
namespace memory_test {

using LibraryMemory = OnDisk;

api::EntityWrite item(std::uint64_t id) {
    api::EntityWrite write;
    write.id = id;
    write.metadata = {{"title", "item " + std::to_string(id)}};
    return write;
}

TEST_F(LibraryMemory, AboveTheBudgetNothingGrowsAndAllElseGoesOn) {
    { const Library library = shop(on_disk()); }
    OpenOptions options = on_disk();
    options.memory_bytes_max = 1;
    {
        auto library = must(Library::open(options));
        for (const api::Write& write : {api::Write(item(4)), api::Write(item(1))}) {
            const auto refused = library.write(write);
            ASSERT_FALSE(refused.ok());
            EXPECT_EQ(refused.error().code(), ErrorCode::kOverloaded);
            EXPECT_EQ(refused.error().reason(), "memory_full");
            EXPECT_NE(refused.error().hint().find("memory_bytes_max"), std::string::npos);
        }
        must(library.write(api::SignalWrite{.id = 1u, .signal = "view"}));
        must(library.write(api::EntityDelete{.id = 2u}));
        EXPECT_EQ(must(library.feed({.profile = "new"})).items.size(), 2u);
    }
    options.memory_bytes_max = 1ULL << 50;
    auto library = must(Library::open(options));
    must(library.write(item(4)));
    EXPECT_FALSE(library.get({EntityKind::kItem, 2u}).ok());
    EXPECT_EQ(must(library.feed({.profile = "new"})).items.size(), 3u);
}

}  // namespace memory_test
}  // namespace tidal
