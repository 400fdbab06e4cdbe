// Searches through the library: by words and a vector, marked, explained, and the same after the
// next open.
#include <gtest/gtest.h>

#include <algorithm>

#include "embed/tests/on_disk.h"
#include "embed/tests/shop.h"

namespace tidal {
namespace search_test {

using LibrarySearch = OnDisk;

void put(Library& library, std::uint64_t id, const std::string& title,
         const std::vector<double>& values) {
    api::EntityWrite film;
    film.id = id;
    film.metadata = {{"title", title}};
    must(library.write(film));
    if (values.empty()) return;
    api::EmbeddingWrite vector;
    vector.id = id;
    vector.values = values;
    must(library.write(vector));
}

TEST_F(LibrarySearch, WordsAndAVectorAreOnePage) {
    const auto check = [](Library& library) {
        api::FeedCall call;
        call.query = "blue AND night";
        call.vector = {1, 0, 0, 0};
        call.effort = "exact";
        call.highlight = {"title"};
        call.explain = true;
        const auto page = must(library.feed(call));
        EXPECT_EQ(page.profile, "hybrid@1");
        ASSERT_EQ(page.items.size(), 3U);
        const api::FeedItem& both = page.items[0];
        EXPECT_EQ(both.entity.id.number(), 1U);
        EXPECT_EQ(both.fused_score, 1.0 / 61 + 1.0 / 61);
        EXPECT_EQ(both.vector_score, 1);
        EXPECT_GT(both.text_score.value_or(0), 0);
        ASSERT_EQ(both.highlights.size(), 1U);
        EXPECT_EQ(both.highlights[0].second, "<em>Blue</em> &amp; <em>night</em>");
        const api::FeedItem& near = page.items[1];
        EXPECT_EQ(near.entity.id.number(), 2U);
        EXPECT_EQ(near.fused_score, 1.0 / 62);
        EXPECT_EQ(near.text_score, 0);
        EXPECT_EQ(page.items[2].fused_score, 1.0 / 62);
        EXPECT_FALSE(page.items[2].vector_score.has_value());
        const auto words = std::ranges::find_if(
            page.sources, [](const auto& source) { return source.path == "intersection"; });
        ASSERT_NE(words, page.sources.end());
        ASSERT_TRUE(words->texts.has_value());
        EXPECT_EQ(words->candidates, 2U);
        EXPECT_EQ(words->texts->terms.size(), 2U);
        const auto near_by = std::ranges::find_if(
            page.sources, [](const auto& source) { return source.path == "scan"; });
        ASSERT_NE(near_by, page.sources.end());
        EXPECT_NE(near_by->why.find("effort=exact"), std::string::npos);
        call.vector = {1, 0};
        EXPECT_EQ(library.feed(call).error().reason(), "wrong_dimension");
    };
    {
        auto library = must(Library::open(on_disk()));
        put(library, 1, "Blue & night", {1, 0, 0, 0});
        put(library, 2, "Morning", {1, 1, 0, 0});
        put(library, 3, "A night of blue and other colours", {});
        check(library);
    }
    auto library = must(Library::open(on_disk()));
    check(library);
}

}  // namespace search_test
}  // namespace tidal
