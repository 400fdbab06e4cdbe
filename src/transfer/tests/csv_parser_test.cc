#include "transfer/csv_parser.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

namespace tidal::transfer {
namespace csv_parser_test {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Row = std::vector<std::string>;

struct Recorder final : CsvParser::Handler {
    bool on_row(std::span<const std::string_view> fields, const RowPlace& place,
                std::string_view text) override {
        rows.emplace_back(fields.begin(), fields.end());
        lines.push_back(place.line);
        numbers.push_back(place.row);
        after_blank.push_back(place.after_blank);
        texts.emplace_back(text);
        return rows.size() < rows_max;
    }
    void on_rejected(const RejectedRow& row) override {
        rejected.push_back(std::to_string(row.place.line) + ":" + std::to_string(row.column) + " " +
                           std::string(row.reason));
        texts.emplace_back(row.text);
    }
    std::vector<Row> rows;
    std::vector<std::uint64_t> lines, numbers;
    std::vector<bool> after_blank;
    std::vector<std::string> rejected, texts;
    std::size_t rows_max = SIZE_MAX;
};

Recorder parse(std::string_view bytes, CsvParser::Options options = {},
               std::size_t piece = SIZE_MAX) {
    Recorder recorder;
    CsvParser parser(options, recorder);
    for (std::size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at))
        parser.feed(bytes.substr(at, piece));
    parser.finish();
    return recorder;
}

TEST(CsvParser, SplitsRowsAndFields) {
    const auto got = parse("a,b\n1,\n,\nlast,x");
    EXPECT_THAT(got.rows, ElementsAre(Row{"a", "b"}, Row{"1", ""}, Row{"", ""}, Row{"last", "x"}));
    EXPECT_THAT(got.lines, ElementsAre(1, 2, 3, 4));
    EXPECT_THAT(got.rejected, IsEmpty());
}

TEST(CsvParser, AcceptsCrlfAndBlankLinesAndAByteOrderMark) {
    const auto got = parse(
        "\xEF\xBB\xBF"
        "a,b\r\n\r\n\n1,2\r\n");
    EXPECT_THAT(got.rows, ElementsAre(Row{"a", "b"}, Row{"1", "2"}));
    EXPECT_THAT(got.lines, ElementsAre(1, 4));
    EXPECT_THAT(got.numbers, ElementsAre(1, 2));
    EXPECT_THAT(got.after_blank, ElementsAre(false, true));
    EXPECT_THAT(parse("\xEF\xBB").rejected, ElementsAre("1:1 not UTF-8"));
}

TEST(CsvParser, TellsWhichRowsFollowABlankLine) {
    const auto got = parse("\na\n\"two\n\nlines\"\nx\"y\n\r\nb\n\nx\"y\nc\n\n");
    EXPECT_THAT(got.rows, ElementsAre(Row{"a"}, Row{"two\n\nlines"}, Row{"b"}, Row{"c"}));
    EXPECT_THAT(got.after_blank, ElementsAre(true, false, true, false));
}

TEST(CsvParser, QuotedFieldsHoldDelimitersQuotesAndLineEnds) {
    const auto got = parse("\"a,b\",\"say \"\"hi\"\"\",\"two\r\nlines\"\r\nnext,\"\",c\n");
    EXPECT_THAT(got.rows,
                ElementsAre(Row{"a,b", "say \"hi\"", "two\r\nlines"}, Row{"next", "", "c"}));
    EXPECT_THAT(got.lines, ElementsAre(1, 3));
    EXPECT_EQ(got.texts[0], "\"a,b\",\"say \"\"hi\"\"\",\"two\r\nlines\"");
}

TEST(CsvParser, ANulByteRejectsItsRow) {
    const auto got = parse(std::string_view("ok,1\nnul\0l,4\n1,2\n", 16));
    EXPECT_THAT(got.rejected, ElementsAre("2:1 NUL byte"));
    EXPECT_THAT(got.rows, ElementsAre(Row{"ok", "1"}, Row{"1", "2"}));
    EXPECT_EQ(got.texts[1], std::string("nul\0l,4", 7));
}

TEST(CsvParser, NamesLineFieldAndReasonOfWhatIsWrong) {
    const auto got =
        parse("ok,1\nx\"y,2\n\"a\"b,3\ncr\rx,5\r\nok,\"6\"\ncaf\xE9,7\n1,\xFF\nok,8\n");
    EXPECT_THAT(got.rejected,
                ElementsAre("2:1 quote inside a field that does not begin with one",
                            "3:1 text after a closing quote", "4:1 carriage return inside a row",
                            "6:1 not UTF-8", "7:2 not UTF-8"));
    EXPECT_THAT(got.rows, ElementsAre(Row{"ok", "1"}, Row{"ok", "6"}, Row{"ok", "8"}));
    EXPECT_THAT(got.texts, ElementsAre("ok,1", "x\"y,2", "\"a\"b,3", "cr\rx,5", "ok,\"6\"",
                                       "caf\xE9,7", "1,\xFF", "ok,8"));
}

TEST(CsvParser, AQuoteThatIsNeverClosedIsReportedWhereItBegan) {
    const auto got = parse("ok,1\na,\"open\nx,y\n");
    EXPECT_THAT(got.rows, ElementsAre(Row{"ok", "1"}));
    EXPECT_THAT(got.rejected, ElementsAre("2:2 a quote is opened and never closed"));
}

TEST(CsvParser, ARowOverTheLimitIsSkippedToItsLineEnd) {
    const std::string huge(3 * kRowBytesMax, 'x');
    const auto got = parse("a,b\n" + huge + ",1\nc,d\n");
    EXPECT_THAT(got.rows, ElementsAre(Row{"a", "b"}, Row{"c", "d"}));
    EXPECT_THAT(got.rejected, ElementsAre("2:1 longer than 1 MiB"));
    EXPECT_EQ(got.texts[1].size(), kRowBytesMax);
    const auto quoted = parse("\"" + huge + "\n" + huge + "\"\nc,d\n");
    EXPECT_THAT(quoted.rejected,
                ElementsAre("1:1 longer than 1 MiB", ::testing::StartsWith("2:1 longer")));
    EXPECT_THAT(quoted.rows, ElementsAre(Row{"c", "d"}));
}

TEST(CsvParser, TooManyFieldsAreRejected) {
    EXPECT_THAT(parse(std::string(kColumnsMax, ',') + "\na\n").rejected,
                ElementsAre("1:4096 more than 4096 fields"));
    EXPECT_THAT(parse(std::string(kColumnsMax - 1, ',') + "\n").rejected, IsEmpty());
}

TEST(CsvParser, WithoutQuotingAQuoteIsACharacter) {
    EXPECT_THAT(parse("5\" disc\t\"x\n", {'\t', false}).rows, ElementsAre(Row{"5\" disc", "\"x"}));
}

TEST(CsvParser, StopsWhenAsked) {
    Recorder recorder;
    recorder.rows_max = 2;
    CsvParser parser({}, recorder);
    parser.feed("a\nb\nc\nd");
    parser.finish();
    EXPECT_EQ(recorder.rows.size(), 2U);
}

/// Dirty text: few kinds of bytes, so that quotes, ends and delimiters meet often.
std::string dirty(const std::vector<std::uint8_t>& draws) {
    static constexpr std::string_view kBytes =
        "ab,,\"\"\n\r\t\0\xC3\xA9\xFF"
        "1";
    std::string text;
    for (const std::uint8_t draw : draws) text.push_back(kBytes[draw % kBytes.size()]);
    return text;
}

RC_GTEST_PROP(CsvParserProperty, HowTheBytesAreCutDoesNotMatter,
              (const std::vector<std::uint8_t>& draws, std::uint8_t piece)) {
    const std::string text = dirty(draws);
    const auto whole = parse(text), cut = parse(text, {}, piece % 7 + 1);
    RC_ASSERT(whole.rows == cut.rows);
    RC_ASSERT(whole.rejected == cut.rejected);
    RC_ASSERT(whole.lines == cut.lines);
    RC_ASSERT(whole.texts == cut.texts);
}

RC_GTEST_PROP(CsvParserProperty, WhatIsWrittenByTheRulesIsReadBack,
              (const std::vector<std::vector<std::uint8_t>>& draws)) {
    std::vector<Row> rows;
    std::string text;
    for (const auto& fields : draws) {
        Row row;
        for (const std::uint8_t draw : fields) {
            static constexpr std::string_view kPieces[] = {"",     "a", ",",   "\"",
                                                           "\r\n", "é", "a b", "\n"};
            row.push_back(std::string(kPieces[draw % 8]) + std::string(kPieces[draw / 8 % 8]));
        }
        if (row.empty()) continue;
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += i == 0 ? "\"" : ",\"";
            for (const char c : row[i]) text += c == '"' ? std::string("\"\"") : std::string(1, c);
            text += "\"";
        }
        text += "\r\n";
        rows.push_back(std::move(row));
    }
    const auto got = parse(text);
    RC_ASSERT(got.rows == rows);
    RC_ASSERT(got.rejected.empty());
}

}  // namespace csv_parser_test
}  // namespace tidal::transfer
