#include "transfer/file_mapper.h"

#include <gmock/gmock.h>

#include "transfer/tests/recording_sink.h"

namespace tidal::transfer {
namespace file_mapper_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FileMapperTest : public ::testing::Test {
protected:
    FileMapperTest()
        : schema_(*schema::parse_schema(R"(
items:
  fields:
    title: text
    category: keyword
    genres: keywords
    year: int
    score: float
    live: bool
    filmed: timestamp
    length: duration
    place: geo
    extra: json
users:
  ids: string
  fields: {region: keyword}
signals:
  view: {polarity: neutral, half_life: 1d}
  like: {polarity: positive, half_life: 7d}
)")),
          sink_(schema_) {}

    /// Reads `bytes` as the only file of a mapping whose file entry is `file_yaml`.
    Result<FileMapper::Counts> run(const std::string& file_yaml, std::string_view bytes,
                                   const FirstSignals* first_signals = nullptr) {
        TIDAL_ASSIGN(mapping_, parse_mapping("files:\n  - " + file_yaml));
        TIDAL_ASSIGN(auto mapper,
                     FileMapper::create(mapping_.files[0], schema_, first_signals, sink_));
        TIDAL_TRY(mapper->feed(bytes.substr(0, bytes.size() / 2)));
        TIDAL_TRY(mapper->feed(bytes.substr(bytes.size() / 2)));
        TIDAL_TRY(mapper->finish());
        return mapper->counts();
    }

    const schema::Schema schema_;
    Mapping mapping_;
    RecordingSink sink_;
};

TEST_F(FileMapperTest, ConvertsEveryTypeOfField) {
    const auto counts =
        run("{file: a.csv, items: {id: id, fields: {title: t, category: {constant: film}, "
            "genres: {column: g, split: '|', drop: none}, year: {column: t, regex: '(\\d+)$'}, "
            "score: s, "
            "live: l, filmed: {column: f, unit: s}, length: {column: d, unit: s}, place: p, extra: "
            "x}}}",
            "id,t,g,s,l,f,d,p,x\r\n"
            "7,Film 99,b|a|none|b,2.5,true,10,1.5,\"48.5, -2\",\"{\"\"k\"\":1}\"\r\n"
            "8,Other,none,,,,,,\r\n");
    ASSERT_TRUE(counts.ok()) << counts.error().to_string();
    EXPECT_THAT(sink_.rejected, IsEmpty());
    EXPECT_THAT(sink_.rows,
                ElementsAre("line 2: item 7 title=Film 99 category=film genres={a|b} year=99 "
                            "score=2.500000 live=true filmed=10000 length=1500 "
                            "place=48.500000,-2.000000 extra={\"k\":1}",
                            "line 3: item 8 title=Other category=film"));
    EXPECT_EQ(counts->rows, 2U);
    EXPECT_EQ(counts->writes, 2U);
}

TEST_F(FileMapperTest, EmitsTheSignalsWhoseConditionsHold) {
    ASSERT_TRUE(
        run("{file: a.csv, signals: {item: i, user: u, creator: c, at: {column: t, unit: s}, emit: "
            "[view, {type: like, when: [r >= 4, r < 6], weight: {column: w}}]}}",
            "i,u,c,t,r,w\n1,ann,9,5,4,0.5\n1,,,6.25,3.5,1\n2,bob,,7,,1\n")
            .ok());
    EXPECT_THAT(sink_.rows, ElementsAre("line 2: view 1 by ann of 9 at 5000",
                                        "line 2: like 1 by ann of 9 at 5000 weight 0.500000",
                                        "line 3: view 1 at 6250", "line 4: view 2 by bob at 7000"));
}

TEST_F(FileMapperTest, ABadCellRejectsItsRowAsAWhole) {
    const auto counts = run(
        "{file: a.csv, items: {id: i, fields: {year: y}}, signals: {item: i, at: t, emit: [view, "
        "{type: like, when: r > 1, weight: {column: w}}]}}",
        "i,y,t,r,w\nx,1,1,1,1\n-1,1,1,1,1\n,1,1,1,1\n1,1.5,1,1,1\n1,1,soon,1,1\n1,1,,1,1\n1,1,1,x,"
        "1\n"
        "1,1,1,2,x\n1,1,1,2,9999999\n1,1,1\n18446744073709551616,1,1,1,1\n2,,3,1,1\n");
    ASSERT_TRUE(counts.ok()) << counts.error().to_string();
    EXPECT_THAT(sink_.rows, ElementsAre("line 13: item 2", "line 13: view 2 at 3"));
    EXPECT_EQ(counts->rejected, 11U);
    EXPECT_EQ(counts->rows, 1U);
    ASSERT_EQ(sink_.rejected.size(), 11U);
    EXPECT_EQ(sink_.rejected[0], "line 2 column 1 (i): not an id: a whole number below 2^64");
    EXPECT_EQ(sink_.rejected[2], "line 4 column 1 (i): an id is missing");
    EXPECT_EQ(sink_.rejected[3], "line 5 column 2 (y): not a whole number of 64 bits");
    EXPECT_EQ(sink_.rejected[4], "line 6 column 3 (t): not a whole number of milliseconds");
    EXPECT_EQ(sink_.rejected[5], "line 7 column 3 (t): a time is missing");
    EXPECT_EQ(sink_.rejected[6], "line 8 column 4 (r): not a number");
    EXPECT_THAT(sink_.rejected[8], HasSubstr("line 10 column 5 (w): "));
    EXPECT_EQ(sink_.rejected[9], "line 11: 3 fields, where the header has 5");
    EXPECT_EQ(sink_.rejected_texts[9], "1,1,1");
}

TEST_F(FileMapperTest, TimesOfTheEntityAreRead) {
    FirstSignals first;
    first.note(EntityId(1), 500);
    first.note(EntityId(1), 400);
    first.note(EntityId(3), 300);
    ASSERT_TRUE(run("{file: a.csv, items: {id: i, creator: c, created_at: first_signal, "
                    "publish_at: {column: p, unit: rfc3339}, expires_at: {column: e, unit: s}}}",
                    "i,c,p,e\n1,9,1970-01-01T00:00:01Z,2\n2,,,\n", &first)
                    .ok());
    EXPECT_THAT(
        sink_.rows,
        ElementsAre("line 2: item 1 creator=9 created_at=400 publish_at=1000 expires_at=2000",
                    "line 3: item 2 created_at=299"));
    EXPECT_EQ(
        run("{file: a.csv, items: {id: i, created_at: first_signal}}", "i\n1\n").error().code(),
        ErrorCode::kInvalidArgument);
}

TEST_F(FileMapperTest, FilesWithoutAHeaderNameTheirColumns) {
    ASSERT_TRUE(
        run("{file: a.tsv, format: tsv, columns: [k, r], users: {id: k, fields: {region: r}}}",
            "ann\teu\n\"b\tus\n")
            .ok());
    EXPECT_THAT(sink_.rows,
                ElementsAre("line 1: user ann region=eu", "line 2: user \"b region=us"));
}

TEST_F(FileMapperTest, ReadsObjectsLineByLine) {
    const auto counts =
        run("{file: a.ndjson, format: ndjson, items: {id: id, fields: {title: t, genres: g, score: "
            "s, live: l, extra: x}}}",
            "{\"id\":18446744073709551615,\"t\":\"A\",\"g\":[\"z\",\"a\"],\"s\":0.1,\"l\":false,"
            "\"x\":{\"k\":[1]}}\r\n"
            "\n{\"id\":\"5\",\"t\":null,\"other\":1}\n[1]\n{\"id\":6\n{\"id\":7,\"t\":[\"x\"]}\n{"
            "\"id\":8,\"id\":9}\n{\"id\":10}");
    ASSERT_TRUE(counts.ok()) << counts.error().to_string();
    EXPECT_THAT(sink_.rows, ElementsAre("line 1: item 18446744073709551615 title=A genres={a|z} "
                                        "score=0.100000 live=false extra={\"k\":[1]}",
                                        "line 3: item 5", "line 8: item 10"));
    EXPECT_THAT(sink_.rejected, ElementsAre("line 4: not a JSON object", "line 5: not JSON",
                                            "line 6 (t): a list, where one value is expected",
                                            "line 7: a key is given twice"));
}

TEST_F(FileMapperTest, HugeAndDeepLinesAreRejected) {
    ASSERT_TRUE(run("{file: a, format: ndjson, items: {id: id}}",
                    "{\"id\":1,\"x\":\"" + std::string(2 * kRowBytesMax, 'x') + "\"}\n" +
                        std::string(100000, '[') + "\n{\"id\":2}\n")
                    .ok());
    EXPECT_THAT(sink_.rows, ElementsAre("line 3: item 2"));
    EXPECT_THAT(sink_.rejected, ElementsAre("line 1: longer than 1 MiB", HasSubstr("line 2: ")));
}

TEST_F(FileMapperTest, NamesTheSchemaDoesNotHaveAreRefusedWithTheirLine) {
    const auto field = run("{file: a.csv, items: {id: i, fields: {titel: t}}}", "");
    EXPECT_THAT(field.error().to_string(), HasSubstr("line 2"));
    EXPECT_THAT(field.error().to_string(), HasSubstr("did you mean 'title'?"));
    EXPECT_THAT(run("{file: a.csv, signals: {item: i, emit: [liek]}}", "").error().to_string(),
                HasSubstr("did you mean 'like'?"));
    EXPECT_THAT(run("{file: a.csv, items: {id: i, fields: {title: {column: t, split: x}}}}", "")
                    .error()
                    .to_string(),
                HasSubstr("keywords"));
    EXPECT_THAT(
        run("{file: a.csv, items: {id: i, fields: {year: {constant: x}}}}", "").error().to_string(),
        HasSubstr("not a whole number"));
    EXPECT_THAT(run("{file: a.csv, signals: {item: i, emit: [{type: view, weight: 0.1}]}}", "")
                    .error()
                    .to_string(),
                HasSubstr("line 2"));
}

TEST_F(FileMapperTest, AHeaderThatDoesNotFitStopsTheFile) {
    const auto missing = run("{file: a.csv, items: {id: movieId}}", "movie_Id,x\n1,2\n");
    EXPECT_EQ(missing.error().code(), ErrorCode::kUnknownName);
    EXPECT_THAT(missing.error().to_string(), HasSubstr("did you mean 'movie_Id'?"));
    EXPECT_EQ(run("{file: a.csv, items: {id: i}}", "i,i\n1,2\n").error().code(),
              ErrorCode::kInvalidArgument);
    EXPECT_EQ(run("{file: a.csv, items: {id: i}}", "i,\xFF\n1,2\n").error().code(),
              ErrorCode::kInvalidArgument);
    EXPECT_EQ(run("{file: a.csv, items: {id: i}}", "").error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(sink_.rows, IsEmpty());
}

TEST_F(FileMapperTest, AStoppedSinkGetsNoMoreRows) {
    sink_.rows_max = 1;
    ASSERT_TRUE(run("{file: a.csv, items: {id: i}}", "i\n1\n2\n3\n").ok());
    EXPECT_EQ(sink_.rows.size(), 1U);
}

TEST(ImportRow, TimesAreShiftedTogether) {
    ImportRow signal = SignalRow{{}, 100};
    shift_times(&signal, 11);
    EXPECT_EQ(std::get<SignalRow>(signal).at_ms, 111);
    record::UpsertBody body;
    body.created_at = 5;
    body.expires_at = std::optional<UnixMillis>();
    ImportRow item = body;
    shift_times(&item, -5);
    EXPECT_EQ(std::get<record::UpsertBody>(item).created_at, std::optional<UnixMillis>(0));
    EXPECT_FALSE(std::get<record::UpsertBody>(item).publish_at);
    EXPECT_EQ(*std::get<record::UpsertBody>(item).expires_at, std::nullopt);
}

}  // namespace file_mapper_test
}  // namespace tidal::transfer
