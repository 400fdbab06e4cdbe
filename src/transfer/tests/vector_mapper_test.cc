// Files of vectors: fvecs and npy as their makers write them, and what becomes of those that are
// not as they should be.
#include <gmock/gmock.h>

#include <cstring>
#include <limits>

#include "transfer/file_mapper.h"
#include "transfer/internal/npy_header.h"
#include "transfer/tests/recording_sink.h"

namespace tidal::transfer {
namespace vector_mapper_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <typename T>
std::string raw(const std::vector<T>& numbers) {
    std::string out(numbers.size() * sizeof(T), '\0');
    std::memcpy(out.data(), numbers.data(), out.size());
    return out;
}

std::string fvecs(const std::vector<std::vector<float>>& rows) {
    std::string out;
    for (const auto& row : rows)
        out += raw<std::uint32_t>({static_cast<std::uint32_t>(row.size())}) + raw(row);
    return out;
}

std::string npy(const std::string& descr, const std::string& shape, const std::string& numbers,
                const std::string& order = "False", char version = 1) {
    std::string header =
        "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
    header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
    header += '\n';
    std::string out = std::string("\x93NUMPY") + version + '\0';
    if (version == 1)
        out += raw<std::uint16_t>({static_cast<std::uint16_t>(header.size())});
    else
        out += raw<std::uint32_t>({static_cast<std::uint32_t>(header.size())});
    return out + header + numbers;
}

class IdList final : public RowIds {
public:
    explicit IdList(std::vector<Id> ids) : ids_(std::move(ids)) {}
    Result<std::optional<Id>> next() override {
        if (at_ == ids_.size()) return std::optional<Id>();
        return std::optional(ids_[at_++]);
    }

private:
    const std::vector<Id> ids_;
    std::size_t at_ = 0;
};

class VectorMapperTest : public ::testing::Test {
protected:
    VectorMapperTest()
        : schema_(*schema::parse_schema(R"(
items:
  fields: {title: text}
  embeddings:
    default: {dimensions: 2, metric: cosine}
    wide: {dimensions: 3, metric: l2, storage: f16}
users:
  ids: string
  embeddings:
    taste: {dimensions: 2, metric: dot}
signals:
  view: {polarity: neutral, half_life: 1d}
)")) {}

    /// "ok", or the error; the rows are in `sink_`.
    std::string run(const std::string& format, const std::string& vectors, std::string_view bytes,
                    RowIds* ids = nullptr, std::size_t piece = 3) {
        sink_ = std::make_unique<RecordingSink>(schema_);
        std::string yaml =
            "files:\n  - {file: a, format: " + format + ", vectors: {" + vectors + "}}";
        if (vectors.find("ids.csv") != std::string::npos)
            yaml += "\n  - {file: ids.csv, columns: [id]}";
        auto mapping = parse_mapping(yaml);
        if (!mapping.ok()) return mapping.error().to_string();
        auto mapper = FileMapper::create(mapping->files[0], schema_, nullptr, *sink_, ids);
        if (!mapper.ok()) return mapper.error().to_string();
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            if (auto fed = (*mapper)->feed(bytes.substr(at, piece)); !fed.ok())
                return fed.error().to_string();
        const auto done = (*mapper)->finish();
        return done.ok() ? "ok" : done.error().to_string();
    }
    const std::vector<std::string>& rows() const { return sink_->rows; }

    const schema::Schema schema_;
    std::unique_ptr<RecordingSink> sink_;
};

const std::string kFirst = "slot: default, first_id: 10";
const std::string kIds = "slot: default, ids: {file: ids.csv, column: id}";

TEST_F(VectorMapperTest, ReadsFvecs) {
    for (const std::size_t piece : {1, 5, 12, 1000}) {
        EXPECT_EQ(run("fvecs", kFirst, fvecs({{1, 2}, {-0.5, 4}}), nullptr, piece), "ok");
        EXPECT_THAT(rows(), ElementsAre("line 1: item 10 slot 0 1.000000 2.000000",
                                        "line 2: item 11 slot 0 -0.500000 4.000000"));
    }
    EXPECT_EQ(run("fvecs", kFirst, ""), "ok");
    EXPECT_THAT(rows(), IsEmpty());
}

TEST_F(VectorMapperTest, ReadsNpyOfEveryType) {
    const std::string wide = "slot: wide, first_id: 0";
    EXPECT_EQ(run("npy", wide, npy("<f4", "(1, 3)", raw<float>({1, 2, 0.5}))), "ok");
    EXPECT_THAT(rows(), ElementsAre("line 1: item 0 slot 1 1.000000 2.000000 0.500000"));
    EXPECT_EQ(run("npy", wide, npy("<f2", "(1, 3)", raw<std::uint16_t>({0x3c00, 0xc000, 0x3800}))),
              "ok");
    EXPECT_THAT(rows(), ElementsAre("line 1: item 0 slot 1 1.000000 -2.000000 0.500000"));
    for (const char version : {1, 2, 3}) {
        const auto bytes =
            npy("|i1", "(2, 3)", std::string("\x01\xff\x7f\x02\x80\x00", 6), "False", version);
        EXPECT_EQ(run("npy", wide, bytes), "ok");
        EXPECT_THAT(rows(), ElementsAre("line 1: item 0 slot 1 1.000000 -1.000000 127.000000",
                                        "line 2: item 1 slot 1 2.000000 -128.000000 0.000000"));
    }
    EXPECT_EQ(run("npy", wide, npy("<f4", "(0, 3)", "")), "ok");
}

TEST_F(VectorMapperTest, TakesIdsFromBesideIt) {
    IdList ids({{EntityId("ann"), {}},
                {std::nullopt, "ids.csv line 3: an id is missing"},
                {EntityId("bob"), {}}});
    EXPECT_EQ(run("fvecs", "of: users, ids: {file: ids.csv, column: id}",
                  fvecs({{1, 2}, {3, 4}, {5, 6}}), &ids),
              "ok");
    EXPECT_THAT(rows(), ElementsAre("line 1: user ann slot 0 1.000000 2.000000",
                                    "line 3: user bob slot 0 5.000000 6.000000"));
    EXPECT_THAT(sink_->rejected, ElementsAre("line 2 (taste): ids.csv line 3: an id is missing"));
    IdList few({{EntityId(1), {}}}), many({{EntityId(1), {}}, {EntityId(2), {}}});
    EXPECT_THAT(run("fvecs", kIds, fvecs({{1, 2}, {3, 4}}), &few),
                HasSubstr("row 2: the file of ids has no more rows"));
    EXPECT_THAT(run("fvecs", kIds, fvecs({{1, 2}}), &many),
                HasSubstr("the file of ids has more rows than the file of vectors"));
    EXPECT_THAT(run("fvecs", kIds, fvecs({{1, 2}})), HasSubstr("need their file of ids"));
}

TEST_F(VectorMapperTest, CountsIdsToTheLastThereIsAndNoFurther) {
    const std::string last = "slot: default, first_id: 18446744073709551614";
    EXPECT_EQ(run("fvecs", last, fvecs({{1, 2}, {3, 4}})), "ok");
    EXPECT_THAT(rows(), ElementsAre("line 1: item 18446744073709551614 slot 0 1.000000 2.000000",
                                    "line 2: item 18446744073709551615 slot 0 3.000000 4.000000"));
    EXPECT_THAT(run("fvecs", last, fvecs({{1, 2}, {3, 4}, {5, 6}})),
                HasSubstr("row 3: its id would be greater than 18446744073709551615"));
    EXPECT_EQ(rows().size(), 2u) << "no row has the id 0";
}

TEST_F(VectorMapperTest, RejectsVectorsThatAreNone) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(run("fvecs", kFirst, fvecs({{1, nan}, {0, 0}, {1, 2}})), "ok");
    EXPECT_THAT(rows(), ElementsAre("line 3: item 12 slot 0 1.000000 2.000000"));
    ASSERT_EQ(sink_->rejected.size(), 2u);
    EXPECT_THAT(sink_->rejected[0], HasSubstr("NaN or infinite"));
    EXPECT_THAT(sink_->rejected[1], HasSubstr("zero norm"));
    EXPECT_THAT(sink_->rejected_texts, ElementsAre("10", "11"));
}

TEST_F(VectorMapperTest, FilesThatAreNotSuchEndTheImport) {
    const auto of_fvecs = [&](const std::string& bytes) { return run("fvecs", kFirst, bytes); };
    EXPECT_THAT(of_fvecs(fvecs({{1, 2, 3}})),
                HasSubstr("row 1: 3 dimensions, where the slot has 2"));
    EXPECT_THAT(of_fvecs(fvecs({{1, 2}, {1}})), HasSubstr("row 2: 1 dimensions"));
    const std::string whole = fvecs({{1, 2}, {3, 4}});
    for (std::size_t size = 13; size < whole.size(); ++size)
        EXPECT_THAT(of_fvecs(whole.substr(0, size)), HasSubstr("row 2: the file ends within it"));
    const auto of_npy = [&](const std::string& bytes) { return run("npy", kFirst, bytes); };
    const std::string numbers = raw<float>({1, 2, 3, 4});
    EXPECT_THAT(of_npy("PK\x03\x04 an npz archive"), HasSubstr("none of NumPy's"));
    EXPECT_THAT(of_npy(""), HasSubstr("ends within its header"));
    EXPECT_THAT(of_npy(npy("<f4", "(2, 2)", numbers, "False", 4)), HasSubstr("version 4"));
    EXPECT_THAT(of_npy(npy("<f8", "(2, 2)", numbers)), HasSubstr("numbers of type '<f8'"));
    EXPECT_THAT(of_npy(npy(">f4", "(2, 2)", numbers)), HasSubstr("array.astype"));
    EXPECT_THAT(of_npy(npy("<f4", "(2, 2)", numbers, "True")), HasSubstr("Fortran order"));
    EXPECT_THAT(of_npy(npy("<f4", "(4,)", numbers)), HasSubstr("an array of 1 axes"));
    EXPECT_THAT(of_npy(npy("<f4", "(1, 4)", numbers)),
                HasSubstr("rows of 4 dimensions, where the slot has 2"));
    EXPECT_THAT(of_npy(npy("<f4", "(3, 2)", numbers)), HasSubstr("row 3: the file ends before"));
    EXPECT_THAT(of_npy(npy("<f4", "(1, 2)", numbers)),
                HasSubstr("bytes behind the last of 1 rows"));
    const std::string cut = npy("<f4", "(2, 2)", numbers);
    for (std::size_t size = 0; size < cut.size(); ++size)
        EXPECT_NE(of_npy(cut.substr(0, size)), "ok") << size;
    EXPECT_EQ(of_npy(cut), "ok");
}

TEST_F(VectorMapperTest, HeadersAreThoseOfAMatrix) {
    const auto header =
        parse_npy_header("{\"shape\": (12, 3),'fortran_order':True,'descr':'<f4'}\n");
    ASSERT_TRUE(header.ok());
    EXPECT_EQ(header->descr, "<f4");
    EXPECT_TRUE(header->fortran_order);
    EXPECT_EQ(header->shape, (std::vector<std::uint64_t>{12, 3}));
    for (const char* wrong :
         {"", "{", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False}",
          "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 2), }",
          "{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 2), }",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2), }",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2), }",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2), }",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (2), }",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), } more",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), 'more': 1}",
          "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"})
        EXPECT_FALSE(parse_npy_header(wrong).ok()) << wrong;
}

TEST_F(VectorMapperTest, NamesAreThoseOfTheSchema) {
    const std::string bytes = fvecs({{1, 2}});
    EXPECT_THAT(run("fvecs", "slot: defualt, first_id: 1", bytes), HasSubstr("default"));
    EXPECT_THAT(run("fvecs", "first_id: 1", bytes), HasSubstr("several embedding slots"));
    EXPECT_THAT(run("fvecs", "of: creators, first_id: 1", bytes), HasSubstr("no embeddings"));
    EXPECT_THAT(run("fvecs", "of: users, first_id: 1", bytes), HasSubstr("are texts"));
}

TEST_F(VectorMapperTest, MappingsSayWhatIsMissing) {
    const auto refused = [](const std::string& files) {
        const auto mapping = parse_mapping("files:\n" + files);
        return mapping.ok() ? std::string() : mapping.error().to_string();
    };
    EXPECT_EQ(refused("  - {file: a, format: npy, vectors: {first_id: 1}}"), "");
    EXPECT_THAT(refused("  - {file: a, format: npy, vectors: {}}"), HasSubstr("first_id"));
    EXPECT_THAT(refused("  - {file: a, format: npy}"), HasSubstr("needs 'vectors'"));
    EXPECT_THAT(refused("  - {file: a, vectors: {first_id: 1}}"), HasSubstr("fvecs or npy"));
    EXPECT_THAT(refused("  - {file: a, format: npy, items: {id: a}, vectors: {first_id: 1}}"),
                HasSubstr("holds nothing else"));
    EXPECT_THAT(refused("  - {file: a, format: npy, header: true, vectors: {first_id: 1}}"),
                HasSubstr("for csv and tsv"));
    EXPECT_THAT(refused("  - {file: a, format: npy, vectors: {first_id: -1}}"),
                HasSubstr("whole number"));
    EXPECT_THAT(refused("  - {file: a, format: npy, vectors: {ids: {file: b}}}"),
                HasSubstr("a file and a column"));
    EXPECT_THAT(refused("  - {file: a, format: npy, vectors: {ids: {file: b, column: c}}}"),
                HasSubstr("no file of rows"));
    EXPECT_THAT(refused("  - {file: b, columns: [c]}"), HasSubstr("maps to nothing"));
}

/// Beside the other values of a row of JSON.
TEST_F(VectorMapperTest, ArraysOfJsonAreVectorsOfWhatTheirRowIs) {
    const auto run_json = [&](const std::string& rows_of, const std::string& lines) {
        sink_ = std::make_unique<RecordingSink>(schema_);
        const auto mapping =
            parse_mapping("files:\n  - {file: a, format: ndjson, " + rows_of + "}");
        if (!mapping.ok()) return mapping.error().to_string();
        auto mapper = FileMapper::create(mapping->files[0], schema_, nullptr, *sink_);
        if (!mapper.ok()) return mapper.error().to_string();
        for (const char c : lines)
            if (!(*mapper)->feed({&c, 1}).ok()) return std::string("not fed");
        const auto done = (*mapper)->finish();
        return done.ok() ? "ok" : done.error().to_string();
    };
    const std::string both = "items: {id: i, embeddings: {default: d, wide: w}}";
    EXPECT_EQ(run_json(both, R"({"i":1,"d":[1,-2.5],"w":[0,1e1,2]}
{"i":2,"d":null,"w":[1,2,3]}
{"i":3}
{"i":4,"d":[1,2,3]}
{"i":5,"d":[0,0]}
{"i":6,"d":[1,"NaN"]}
{"i":7,"d":[1,1e300]}
{"i":8,"w":[1,2,70000]}
{"i":9,"d":"1,2"}
{"i":10,"d":[1,null]}
{"i":11,"d":[1,[2]]}
{"i":12,"d":[]}
{"d":[1,2]})"),
              "ok");
    EXPECT_THAT(rows(),
                ElementsAre("line 1: item 1", "line 1: item 1 slot 0 1.000000 -2.500000",
                            "line 1: item 1 slot 1 0.000000 10.000000 2.000000", "line 2: item 2",
                            "line 2: item 2 slot 1 1.000000 2.000000 3.000000", "line 3: item 3"));
    EXPECT_THAT(
        sink_->rejected,
        ElementsAre(HasSubstr("line 4 (d): embedding 'default': wrong number of values"),
                    HasSubstr("line 5 (d)"), HasSubstr("line 6 (d)"), HasSubstr("line 7 (d)"),
                    HasSubstr("line 8 (w)"), "line 9 (d): not an array of numbers",
                    HasSubstr("line 10 (d)"), HasSubstr("line 11 (d)"), HasSubstr("line 12 (d)"),
                    "line 13 (i): an id is missing"));
    EXPECT_EQ(run_json("users: {id: u, embeddings: {taste: t}}", R"({"u":"ann","t":[0,0]})"), "ok");
    EXPECT_THAT(rows(),
                ElementsAre("line 1: user ann", "line 1: user ann slot 0 0.000000 0.000000"));
    EXPECT_THAT(run_json("items: {id: i, embeddings: {wid: w}}", ""),
                HasSubstr("did you mean 'wide'?"));
    EXPECT_THAT(run_json("items: {id: i, embeddings: {}}", ""), HasSubstr("from slots to columns"));
    const auto csv = parse_mapping("files:\n  - {file: a, items: {id: i, embeddings: {wide: w}}}");
    EXPECT_THAT(csv.error().to_string(), HasSubstr("ndjson"));
}

}  // namespace vector_mapper_test
}  // namespace tidal::transfer
