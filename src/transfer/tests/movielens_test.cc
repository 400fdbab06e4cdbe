// The sample as it is kept in the tree, through its own mapping.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <map>

#include "transfer/file_mapper.h"
#include "transfer/tests/recording_sink.h"
#include "transfer/zstd_reader.h"

namespace tidal::transfer {
namespace movielens_test {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string read(const std::string& path) {
    std::ifstream file(TIDAL_SOURCE_DIR "/examples/" + path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct FirstSignalSink final : ImportSink {
    bool on_row(ImportRow row, const RowPlace&, std::string_view) override {
        first.note(row);
        ++count[std::get<SignalRow>(row).body.signal.value()];
        return true;
    }
    void on_rejected(const RejectedRow&) override { ++rejected; }
    FirstSignals first;
    std::map<std::uint16_t, int> count;
    int rejected = 0;
};

class MovieLensTest : public ::testing::Test {
protected:
    void feed(const char* name, const FirstSignals* first, ImportSink& sink) {
        auto mapper = FileMapper::create(*mapping_.find(name), schema_, first, sink);
        ASSERT_TRUE(mapper.ok()) << mapper.error().to_string();
        const std::string packed =
            read("data/movielens-latest-small/" + std::string(name) + ".zst");
        ASSERT_TRUE(ZstdReader::is_packed(packed));
        ZstdReader reader;
        ZstdReader::Sink unpacked = [&](std::string_view bytes) { return (*mapper)->feed(bytes); };
        ASSERT_TRUE(reader.feed(packed, unpacked).ok());
        ASSERT_TRUE(reader.finish().ok());
        ASSERT_TRUE((*mapper)->finish().ok());
        counts_ = (*mapper)->counts();
    }

    const schema::Schema schema_ = *schema::parse_schema(schema::default_schema_yaml());
    const Mapping mapping_ = *parse_mapping(read("movielens/mapping.yaml"));
    FileMapper::Counts counts_;
};

TEST_F(MovieLensTest, EveryRatingIsAViewAndSomeAreMore) {
    FirstSignalSink sink;
    feed("ratings.csv", nullptr, sink);
    EXPECT_EQ(sink.rejected, 0);
    EXPECT_EQ(counts_.rows, 100836U);
    EXPECT_EQ(counts_.bytes, 2483723U);
    EXPECT_EQ(sink.count[schema_.find_signal("view")->id.value()], 100836);
    EXPECT_EQ(sink.count[schema_.find_signal("like")->id.value()], 48580);
    EXPECT_EQ(sink.count[schema_.find_signal("dislike")->id.value()], 13523);
    EXPECT_EQ(sink.first.oldest(), 828124615000);
    EXPECT_EQ(sink.first.newest(), 1537799250000);

    RecordingSink items(schema_);
    feed("movies.csv", &sink.first, items);
    EXPECT_THAT(items.rejected, IsEmpty());
    ASSERT_EQ(items.rows.size(), 9742U);
    EXPECT_EQ(items.rows[0],
              "line 2: item 1 title=Toy Story (1995) "
              "genres={Adventure|Animation|Children|Comedy|Fantasy} year=1995 "
              "created_at=829322340000");
    int years = 0, genres = 0, unrated = 0;
    for (const std::string& row : items.rows) {
        years += row.find(" year=") != std::string::npos ? 1 : 0;
        genres += row.find(" genres=") != std::string::npos ? 1 : 0;
        unrated += row.ends_with(" created_at=828124614999") ? 1 : 0;
    }
    EXPECT_EQ(years, 9729);
    EXPECT_EQ(genres, 9708);
    EXPECT_EQ(unrated, 18);
}

TEST_F(MovieLensTest, TheFirstRowsReadAsExpected) {
    RecordingSink sink(schema_);
    sink.rows_max = 4;
    feed("ratings.csv", nullptr, sink);
    EXPECT_THAT(
        sink.rows,
        ElementsAre("line 2: view 1 by 1 at 964982703000", "line 2: like 1 by 1 at 964982703000",
                    "line 3: view 3 by 1 at 964981247000", "line 3: like 3 by 1 at 964981247000"));
}

}  // namespace movielens_test
}  // namespace tidal::transfer
