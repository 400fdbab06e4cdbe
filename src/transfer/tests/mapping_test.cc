#include "transfer/mapping.h"

#include <gmock/gmock.h>

#include "transfer/internal/pattern.h"

namespace tidal::transfer {
namespace mapping_test {

using ::testing::HasSubstr;

TEST(Mapping, ReadsEveryKey) {
    const auto mapping = parse_mapping(R"(
files:
  - file: films.csv.zst
    delimiter: ";"
    items:
      id: key
      creator: maker
      created_at: first_signal
      publish_at: {column: out, unit: rfc3339}
      expires_at: gone
      fields:
        title: name
        genres: {column: kinds, split: "|", drop: [none, "-"], trim: true}
        year: {column: name, regex: '\((\d{4})\)'}
        category: {constant: film}
  - file: people.tsv
    format: tsv
    columns: [id, language]
    users: {id: id, fields: {language: language}}
  - file: events.ndjson
    format: ndjson
    signals:
      item: film
      user: person
      at: {column: t, unit: s}
      emit:
        - view
        - {type: like, when: [stars >= 4, "stars != 4.5"], weight: 2.5}
        - {type: share, weight: {column: count}}
)");
    ASSERT_TRUE(mapping.ok()) << mapping.error().to_string();
    ASSERT_EQ(mapping->files.size(), 3U);
    const FileMapping& films = mapping->files[0];
    EXPECT_EQ(films.name, "films.csv");
    EXPECT_EQ(films.delimiter, ';');
    EXPECT_TRUE(films.quoting);
    EXPECT_TRUE(films.needs_first_signals());
    ASSERT_EQ(films.entity->fields.size(), 4U);
    EXPECT_EQ(films.entity->fields[1].drop, (std::vector<std::string>{"none", "-"}));
    EXPECT_EQ(films.entity->publish_at->unit, TimeUnit::kText);
    const FileMapping& people = mapping->files[1];
    EXPECT_EQ(people.entity->kind, EntityKind::kUser);
    EXPECT_EQ(people.delimiter, '\t');
    EXPECT_FALSE(people.quoting);
    const SignalMapping& events = *mapping->files[2].signals;
    ASSERT_EQ(events.emit.size(), 3U);
    EXPECT_EQ(events.emit[1].when[0].comparison, Comparison::kAtLeast);
    EXPECT_EQ(events.emit[1].when[1].comparison, Comparison::kNotEqual);
    EXPECT_EQ(events.emit[1].when[1].number, 4.5);
    EXPECT_EQ(events.emit[2].weight_column->name, "count");
    EXPECT_EQ(mapping->find("films.csv"), &films);
    EXPECT_EQ(mapping->find("films.csv.zst"), &films);
    EXPECT_EQ(mapping->find("other.csv"), nullptr);
}

struct Mistake {
    const char* yaml;
    const char* message;  ///< Part of what is said.
    const char* line;
};

class MappingMistake : public ::testing::TestWithParam<Mistake> {};

TEST_P(MappingMistake, IsNamedWithItsLine) {
    const auto mapping = parse_mapping(GetParam().yaml);
    ASSERT_FALSE(mapping.ok());
    EXPECT_EQ(mapping.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(mapping.error().to_string(), HasSubstr(GetParam().message));
    EXPECT_THAT(mapping.error().to_string(), HasSubstr(std::string("line ") + GetParam().line));
}

INSTANTIATE_TEST_SUITE_P(
    All, MappingMistake,
    ::testing::Values(
        Mistake{"", "must be a map", "1"}, Mistake{"files: [", "", "1"},
        Mistake{"files: []", "names no files", "1"},
        Mistake{"fils: []", "did you mean 'files'?", "1"},
        Mistake{"files:\n  - file: a\n    itms: {id: x}", "did you mean 'items'?", "3"},
        Mistake{"files:\n  - items: {id: x}", "needs a name", "2"},
        Mistake{"files:\n  - file: a", "maps to nothing", "2"},
        Mistake{"files:\n  - file: a\n    items: {id: x}\n    users: {id: x}", "one of items", "4"},
        Mistake{"files:\n  - {file: a, items: {id: x}}\n  - {file: a, items: {id: x}}",
                "mapped twice", "3"},
        Mistake{"files:\n  - {file: a, items: {id: x}, format: xml}", "unknown format 'xml'", "2"},
        Mistake{"files:\n  - {file: a, items: {id: x}, delimiter: ', '}", "one ASCII character",
                "2"},
        Mistake{"files:\n  - {file: a, items: {id: x}, header: 1}", "true or false", "2"},
        Mistake{"files:\n  - {file: a, items: {id: x}, header: false}", "needs columns", "2"},
        Mistake{"files:\n  - {file: a, items: {id: x}, header: true, columns: [x]}",
                "without a header", "2"},
        Mistake{"files:\n  - {file: a, items: {id: x}, columns: [x, x]}", "named twice", "2"},
        Mistake{"files:\n  - {file: a, items: {id: x}, format: ndjson, quoting: true}",
                "csv and tsv", "2"},
        Mistake{"files:\n  - file: a\n    items: {fields: {title: t}}", "needs an id", "3"},
        Mistake{"files:\n  - file: a\n    users: {id: x, created_at: y}", "unknown key", "3"},
        Mistake{
            "files:\n  - file: a\n    items:\n      id: x\n      fields:\n        t: {colum: y}",
            "did you mean 'column'?", "6"},
        Mistake{"files:\n  - file: a\n    items: {id: x, fields: {t: {column: y, constant: z}}}",
                "one of them", "3"},
        Mistake{"files:\n  - file: a\n    items: {id: x, fields: {t: {trim: true}}}", "one of them",
                "3"},
        Mistake{"files:\n  - file: a\n    items: {id: x, fields: {t: {constant: z, trim: true}}}",
                "as it is", "3"},
        Mistake{"files:\n  - file: a\n    items: {id: x, fields: {t: {column: y, regex: '('}}}",
                "does not compile", "3"},
        Mistake{"files:\n  - file: a\n    items: {id: x, created_at: {unit: s}}", "needs a column",
                "3"},
        Mistake{"files:\n  - file: a\n    items: {id: x, publish_at: {column: y, unit: days}}",
                "unknown unit", "3"},
        Mistake{"files:\n  - file: a\n    signals: {item: x}", "something to emit", "3"},
        Mistake{"files:\n  - file: a\n    signals: {emit: [view]}", "needs an item", "3"},
        Mistake{"files:\n  - file: a\n    signals: {item: x, emit: view}", "must be a list", "3"},
        Mistake{"files:\n  - file: a\n    signals: {item: x, emit: [{weight: 1}]}", "needs a type",
                "3"},
        Mistake{"files:\n  - file: a\n    signals: {item: x, emit: [{type: v, weight: nan}]}",
                "a number", "3"},
        Mistake{"files:\n  - file: a\n    signals: {item: x, emit: [{type: v, when: stars}]}",
                "rating >= 4", "3"},
        Mistake{"files:\n  - file: a\n    signals: {item: x, emit: [{type: v, when: '> 4'}]}",
                "rating >= 4", "3"},
        Mistake{"files:\n  - file: a\n    signals: {item: x, emit: [{type: v, when: 'a > b'}]}",
                "rating >= 4", "3"}));

TEST(Pattern, FindsTheFirstGroupOrTheWholeMatch) {
    EXPECT_EQ(Pattern::compile(R"(\((\d{4})\)\s*$)")->find("2001 (1968) "), "1968");
    EXPECT_EQ(Pattern::compile("b+")->find("abbc"), "bb");
    EXPECT_EQ(Pattern::compile("x")->find("abc"), std::nullopt);
    EXPECT_EQ(Pattern::compile("a(b)?")->find("ac"), std::nullopt);
}

TEST(Pattern, BoundsWhatAPatternMayCost) {
    EXPECT_FALSE(Pattern::compile(std::string(129, 'a')).ok());
    EXPECT_FALSE(Pattern::compile("a{65}").ok());
    EXPECT_FALSE(Pattern::compile("((a{9}){9}){9}").ok());
    EXPECT_FALSE(Pattern::compile("a{99999999999999999999999}").ok());
    EXPECT_FALSE(Pattern::compile("a{1,65}").ok());
    EXPECT_TRUE(Pattern::compile("a{8}b{8}").ok());
    // Exponential for an engine that backtracks.
    EXPECT_EQ(Pattern::compile("(a*)*(a*)*(a*)*b")->find(std::string(200, 'a')), std::nullopt);
}

}  // namespace mapping_test
}  // namespace tidal::transfer
