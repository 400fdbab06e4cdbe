// bench/text_search_bench.cc: indexing and BM25 top 10 of this project's text index, for
// bench/text.sh.
//
//     text_search_bench write DIR [documents = 500000]   documents.txt and queries.txt
//     text_search_bench run DIR                          indexes and asks them; prints and writes
//     hits.txt
//
// Documents have 10 to 50 words of a vocabulary of 200,000, drawn by Zipf's law (exponent 1) with
// xorshift64 from a fixed seed. 1,000 queries of two or three words in three bands of frequency (of
// the vocabulary by rank: 1 to 100, to 5,000, to 100,000), each asked as a union and as an
// intersection. One thread. Every query is asked once to warm up, then kRounds times. Times are
// those of a clock; beside them stands each query's least, which other work on the machine
// disturbs little, over all queries and by band.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "text/search.h"

namespace tidal::text {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kVocabulary = 200'000, kQueries = 1'000, kTop = 10;
constexpr int kRounds = 10;

struct Random {
    std::uint64_t state = 88172645463325252ULL;  // xorshift64 (Marsaglia 2003)
    std::uint64_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    }
    std::size_t below(std::size_t n) { return next() % n; }
    double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
};

/// Letters only, so that no analysis takes them apart: 0 -> "baaa".
std::string word(std::size_t rank) {
    std::string out = "b";
    for (int i = 0; i < 4; ++i, rank /= 26) out += static_cast<char>('a' + rank % 26);
    return out;
}

void write_documents(const std::string& directory, std::size_t documents) {
    std::vector<double> sums(kVocabulary);
    double sum = 0;
    for (std::size_t i = 0; i < kVocabulary; ++i) sums[i] = sum += 1 / static_cast<double>(i + 1);
    Random random;
    std::ofstream out(directory + "/documents.txt");
    for (std::size_t i = 0; i < documents; ++i) {
        const std::size_t length = 10 + random.below(41);
        for (std::size_t j = 0; j < length; ++j) {
            const auto rank = std::ranges::lower_bound(sums, random.unit() * sum) - sums.begin();
            out << (j == 0 ? "" : " ") << word(static_cast<std::size_t>(rank));
        }
        out << '\n';
    }
}

void write_queries(const std::string& directory) {
    constexpr std::size_t kBands[] = {0, 100, 5'000, 100'000};
    Random random{.state = 0x9E3779B97F4A7C15ULL};
    std::ofstream out(directory + "/queries.txt");
    for (std::size_t i = 0; i < kQueries; ++i) {
        const std::size_t band = i % 3;
        const std::size_t words = 2 + random.below(2);
        for (std::size_t j = 0; j < words; ++j)
            out << (j == 0 ? "" : " ")
                << word(kBands[band] + random.below(kBands[band + 1] - kBands[band]));
        out << '\n';
    }
}

std::vector<std::string> lines(const std::string& path) {
    std::ifstream in(path);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    if (out.empty()) {
        std::fprintf(stderr, "%s: nothing there; run `text_search_bench write` first\n",
                     path.c_str());
        std::exit(1);
    }
    return out;
}

class Best final : public Collector {
public:
    double least() const override { return hits_.size() < kTop ? 0 : hits_.front().first; }
    void offer(double score, std::uint32_t slot) override {
        const auto greater = [](const Hit& a, const Hit& b) {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        };
        if (hits_.size() == kTop) {
            if (!greater({score, slot}, hits_.front())) return;
            std::ranges::pop_heap(hits_, greater);
            hits_.pop_back();
        }
        hits_.emplace_back(score, slot);
        std::ranges::push_heap(hits_, greater);
    }
    std::vector<std::uint32_t> slots() {
        std::ranges::sort(hits_, [](const Hit& a, const Hit& b) {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        });
        std::vector<std::uint32_t> out;
        for (const auto& [score, slot] : hits_) out.push_back(slot);
        return out;
    }

private:
    using Hit = std::pair<double, std::uint32_t>;
    std::vector<Hit> hits_;
};

/// As a request does: parsed, statistics gathered, the best of the shard.
std::vector<std::uint32_t> ask(const TextIndex& index, const std::string& query) {
    const ParsedQuery parsed = parse_query(query, {});
    Statistics statistics;
    for (const QueryNode* each : words_of(parsed.root)) index.gather(*each, false, &statistics);
    index.gather_fields(&statistics);
    statistics.choose_words();
    Search search(index, parsed.root, statistics, false);
    Best best;
    search.run(best, nullptr, [](double) { return true; });
    return best.slots();
}

double microseconds(Clock::duration time) {
    return std::chrono::duration<double, std::micro>(time).count();
}

double mean(const std::vector<double>& times) {
    double sum = 0;
    for (const double time : times) sum += time;
    return sum / static_cast<double>(times.size());
}

void ask_all(const TextIndex& index, const std::vector<std::string>& queries, const char* name,
             std::ofstream& hits) {
    std::vector<double> times, least(queries.size(), 1e9);
    for (int round = 0; round <= kRounds; ++round)
        for (std::size_t i = 0; i < queries.size(); ++i) {
            const auto begin = Clock::now();
            const auto found = ask(index, queries[i]);
            if (round > 0) {
                times.push_back(microseconds(Clock::now() - begin));
                least[i] = std::min(least[i], times.back());
                continue;
            }
            for (const std::uint32_t slot : found) hits << slot << ' ';
            hits << '\n';
        }
    std::ranges::sort(times);
    std::vector<double> bands[3];
    for (std::size_t i = 0; i < least.size(); ++i) bands[i % 3].push_back(least[i]);
    std::printf("%s mean %.1f us p99 %.1f us of %zu; least mean %.1f us (%.1f %.1f %.1f)", name,
                mean(times), times[times.size() * 99 / 100], times.size(), mean(least),
                mean(bands[0]), mean(bands[1]), mean(bands[2]));
    std::ranges::sort(least);
    std::printf(" p99 %.1f us\n", least[least.size() * 99 / 100]);
}

void run(const std::string& directory) {
    const auto documents = lines(directory + "/documents.txt");
    TextIndex index;
    index.set_fields({{FieldId(0), "text", {.language = "none", .stop_words = {}}, {}}});
    auto begin = Clock::now();
    for (std::size_t i = 0; i < documents.size(); ++i)
        index.change(Slot(static_cast<std::uint32_t>(i)), FieldId(0), "", documents[i]);
    const double seconds = microseconds(Clock::now() - begin) / 1e6;
    std::printf("indexing %.0f documents/s, %.0f bytes a document\n",
                static_cast<double>(documents.size()) / seconds,
                static_cast<double>(index.stats().bytes) / static_cast<double>(documents.size()));
    std::vector<std::string> unions = lines(directory + "/queries.txt"), intersections = unions;
    for (std::string& query : intersections)
        for (std::size_t at = query.find(' '); at != std::string::npos;
             at = query.find(' ', at + 5))
            query.replace(at, 1, " AND ");
    std::ofstream hits(directory + "/hits.txt");
    ask_all(index, unions, "union", hits);
    ask_all(index, intersections, "intersection", hits);
}

}  // namespace
}  // namespace tidal::text

int main(int argc, char** argv) {
    const std::string mode = argc > 2 ? argv[1] : "";
    if (mode == "write") {
        tidal::text::write_documents(
            argv[2], argc > 3 ? std::strtoull(argv[3], nullptr, 10) : std::size_t{500'000});
        tidal::text::write_queries(argv[2]);
    } else if (mode == "run") {
        tidal::text::run(argv[2]);
    } else {
        std::fprintf(stderr, "usage: text_search_bench write|run DIR [documents]\n");
        return 2;
    }
    return 0;
}
