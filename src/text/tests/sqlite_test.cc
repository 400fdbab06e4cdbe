// Searches against SQLite's FTS5, which others wrote: what is found by words, phrases, beginnings
// and operators, exactly; and BM25, in the order of one word, and from the parts of FTS5's for
// several.
//
// bm25() of FTS5 is, for each word, -idf * (k1 + 1) * tf / (tf + k1 * (1 - b + b * length / mean))
// with k1 = 1.2, b = 0.75 and idf = max(1e-6, log((N - n + 0.5) / (n + 0.5))): ours but for the
// idf, which here is log(1 + ...). Source: sqlite.org/fts5.html and fts5_aux.c.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "text/search.h"

namespace tidal::text {
namespace sqlite_test {

constexpr FieldId kField(0);
constexpr double kK1 = 1.2;

/// A table with one column of words of ASCII letters.
class Fts5 {
public:
    Fts5() {
        EXPECT_EQ(sqlite3_open(":memory:", &db_), SQLITE_OK);
        run("CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = 'unicode61')");
        run("BEGIN");
    }
    ~Fts5() { sqlite3_close(db_); }
    void put(std::uint32_t slot, const std::string& text) {
        run("DELETE FROM texts WHERE rowid = " + std::to_string(slot));
        if (text.empty()) return;
        run("INSERT INTO texts(rowid, text) VALUES (" + std::to_string(slot) + ", '" + text + "')");
    }
    /// Score by slot, the greater the better.
    std::map<std::uint32_t, double> search(const std::string& query) {
        std::map<std::uint32_t, double> out;
        sqlite3_stmt* statement = nullptr;
        const char* const sql = "SELECT rowid, bm25(texts) FROM texts WHERE texts MATCH ?";
        EXPECT_EQ(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr), SQLITE_OK) << error();
        sqlite3_bind_text(statement, 1, query.c_str(), -1, SQLITE_TRANSIENT);
        int step = sqlite3_step(statement);
        for (; step == SQLITE_ROW; step = sqlite3_step(statement))
            out[static_cast<std::uint32_t>(sqlite3_column_int64(statement, 0))] =
                -sqlite3_column_double(statement, 1);
        EXPECT_EQ(step, SQLITE_DONE) << query << ": " << error();
        sqlite3_finalize(statement);
        return out;
    }

private:
    void run(const std::string& sql) {
        EXPECT_EQ(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
            << sql << ": " << error();
    }
    std::string error() const { return sqlite3_errmsg(db_); }
    sqlite3* db_ = nullptr;
};

class All final : public Collector {
public:
    double least() const override { return -1; }
    void offer(double score, std::uint32_t slot) override { found[slot] = score; }
    std::map<std::uint32_t, double> found;
};

std::string word(std::uint32_t number) {
    return std::string("v") + static_cast<char>('a' + number % 8) +
           static_cast<char>('a' + number / 8);
}

/// The same query in both languages.
struct Query {
    std::string ours, theirs;
};

class SqliteTest : public ::testing::Test {
protected:
    static constexpr std::uint32_t kSlots = 3'000, kWords = 60;

    SqliteTest() {
        index_.set_fields({{kField, "text", {"none", {}}, {kK1, 0.75, 1.0}}});
        for (std::uint32_t slot = 0; slot < kSlots; ++slot) put(slot);
        for (std::uint32_t i = 0; i < kSlots / 3; ++i) put(below(kSlots));
    }
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
    /// The lower the more often.
    std::string any_word() {
        const std::uint32_t rank = 1 + below(kWords);
        return word(below(rank));
    }
    void put(std::uint32_t slot) {
        std::string text;
        const std::uint32_t length = below(8) == 0 ? 0 : 1 + below(below(20) == 0 ? 200 : 14);
        for (std::uint32_t i = 0; i < length; ++i) text += any_word() + " ";
        std::string& stored = texts_[slot];
        index_.change(Slot(slot), kField, stored, text);
        sqlite_.put(slot, text);
        stored = text;
    }
    std::map<std::uint32_t, double> search(const std::string& query) {
        const ParsedQuery parsed = parse_query(query, {"text"});
        EXPECT_TRUE(parsed.warnings.empty()) << query << ": " << parsed.warnings.front();
        Statistics statistics;
        index_.gather_fields(&statistics);
        for (const QueryNode* each : words_of(parsed.root))
            index_.gather(*each, false, &statistics);
        statistics.choose_words();
        All all;
        Search(index_, parsed.root, statistics, false).run(all, nullptr, [](double) {
            return true;
        });
        return all.found;
    }
    Query any_query(int depth) {
        const std::string first = any_word(), second = any_word(), third = any_word();
        const std::uint32_t kind = below(depth == 0 ? 4 : 8);
        if (kind < 2) return {first, first};
        if (kind == 2) {
            const std::string phrase =
                "\"" + first + " " + second + (below(3) == 0 ? " " + third : "") + "\"";
            return {phrase, phrase};
        }
        if (kind == 3) {
            const std::string beginning = first.substr(0, 2) + "*";
            return {beginning, beginning};
        }
        const Query left = any_query(depth - 1), right = any_query(depth - 1);
        const std::string between = kind < 6 ? " AND " : " OR ";
        if (kind == 4)
            return {"((" + left.ours + ") AND NOT (" + right.ours + "))",
                    "((" + left.theirs + ") NOT (" + right.theirs + "))"};
        return {"((" + left.ours + ")" + between + "(" + right.ours + "))",
                "((" + left.theirs + ")" + between + "(" + right.theirs + "))"};
    }

    std::minstd_rand random_{5};
    TextIndex index_;
    Fts5 sqlite_;
    std::map<std::uint32_t, std::string> texts_;
};

std::set<std::uint32_t> slots_of(const std::map<std::uint32_t, double>& scores) {
    std::set<std::uint32_t> out;
    for (const auto& [slot, score] : scores) out.insert(slot);
    return out;
}

TEST_F(SqliteTest, FindsTheSameByWordsPhrasesBeginningsAndOperators) {
    std::size_t found = 0, empty = 0;
    for (int i = 0; i < 400; ++i) {
        const Query query = any_query(static_cast<int>(below(4)));
        const auto theirs = slots_of(sqlite_.search(query.theirs));
        ASSERT_EQ(slots_of(search(query.ours)), theirs) << query.ours;
        ++(theirs.empty() ? empty : found);
    }
    EXPECT_GT(found, 250U);
    EXPECT_GT(empty, 5U);
}

/// By one word: idf is one factor of all scores.
TEST_F(SqliteTest, OrdersByOneWordAlike) {
    for (std::uint32_t number = 0; number < kWords; ++number) {
        const auto ours = search(word(number)), theirs = sqlite_.search(word(number));
        ASSERT_EQ(slots_of(ours), slots_of(theirs));
        ASSERT_FALSE(ours.empty());
        const double factor = ours.begin()->second / theirs.begin()->second;
        for (const auto& [slot, score] : ours)
            ASSERT_NEAR(score, factor * theirs.at(slot), 1e-9 * score) << word(number) << slot;
    }
}

/// By several words: the sum of what each gives by FTS5, with our idf for theirs.
TEST_F(SqliteTest, ScoresSeveralWordsFromTheSameParts) {
    double texts = 0;
    for (const auto& [slot, text] : texts_) texts += text.empty() ? 0 : 1;
    for (int i = 0; i < 60; ++i) {
        std::set<std::string> words;
        const std::uint32_t size = 2 + below(4);
        while (words.size() < size) words.insert(any_word());
        std::string either, both;
        std::map<std::uint32_t, double> expected;
        std::map<std::uint32_t, std::size_t> held;
        for (const std::string& each : words) {
            either += each + " ";
            both += (both.empty() ? "" : " AND ") + each;
            const auto theirs = sqlite_.search(each);
            const auto n = static_cast<double>(theirs.size());
            const double odds = (texts - n + 0.5) / (n + 0.5);
            const double factor = std::log(1 + odds) / std::max(1e-6, std::log(odds));
            for (const auto& [slot, score] : theirs) {
                expected[slot] += factor * score;
                ++held[slot];
            }
        }
        const auto any = search(either);
        ASSERT_EQ(slots_of(any), slots_of(expected)) << either;
        for (const auto& [slot, score] : any)
            ASSERT_NEAR(score, expected[slot], 1e-9 * score) << either << slot;
        for (const auto& [slot, score] : search(both)) {
            ASSERT_EQ(held[slot], words.size()) << both;
            ASSERT_NEAR(score, expected[slot], 1e-9 * score) << both << slot;
        }
    }
}

}  // namespace sqlite_test
}  // namespace tidal::text
