// bench/text_segment_bench.cc: what a start with indexed texts costs beside analysing them, and
// what both keep in memory.
//
//     text_segment_bench [texts = 1000000]
//
// One thread; seconds are of its processor time, so that others on the machine count little. Three
// collections: titles that have a word of their own each, titles of 5 words and (a tenth as many)
// bodies of 100 words, both of 50,000 words by Zipf's law. xorshift64 from a fixed seed.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "text/text_index.h"

namespace tidal::text {
namespace {

constexpr FieldId kField{0};

struct Random {
    std::uint64_t state = 88172645463325252ULL;  // xorshift64 (Marsaglia 2003)
    double unit() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<double>(state >> 11) * 0x1p-53;
    }
};

double seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Rank r with a chance of 1 / r, as exp of a uniform logarithm.
std::string zipf_words(std::size_t words, Random* random) {
    constexpr double kVocabulary = 50'000;
    std::string out;
    for (std::size_t i = 0; i < words; ++i)
        out += "w" + std::to_string(static_cast<int>(std::pow(kVocabulary, random->unit()))) + " ";
    return out;
}

const std::vector<TextIndex::Field> kFields = {{kField, "title", {}, {}}};

void meet_all(const std::vector<std::string>& texts, TextIndex* index) {
    for (std::uint32_t slot = 0; slot < texts.size(); ++slot)
        index->meet(Slot(slot), kField, texts[slot]);
    index->finish_open();
}

void run(const char* name, const std::vector<std::string>& texts) {
    const auto count = static_cast<double>(texts.size());
    double began = seconds();
    TextIndex afresh;
    afresh.set_fields(kFields);
    meet_all(texts, &afresh);
    const double analysing = seconds() - began;

    began = seconds();
    TextIndex maker;
    maker.keep_documents(1);
    maker.set_fields(kFields);
    meet_all(texts, &maker);
    Segment segment = std::move(maker.encode({})).value();
    const double making = seconds() - began;
    const auto index_bytes = static_cast<double>(segment.index.size());
    const auto file_bytes = index_bytes + static_cast<double>(segment.documents.size());

    began = seconds();
    TextIndex opened;
    opened.set_fields(kFields);
    if (!opened.open(std::move(segment)).ok()) std::abort();
    meet_all(texts, &opened);
    const double opening = seconds() - began;
    const double memory = static_cast<double>(opened.stats().bytes) + index_bytes;
    std::printf("%s, %zu texts\n", name, texts.size());
    std::printf("  analysed: %.2f s, %.2f us and %.0f bytes of memory a text\n", analysing,
                analysing / count * 1e6, static_cast<double>(afresh.stats().bytes) / count);
    std::printf("  the file: made in %.2f s, %.0f bytes a text\n", making, file_bytes / count);
    std::printf("  opened: %.2f s, %.2f us and %.0f bytes of memory a text: %.1f times as fast\n",
                opening, opening / count * 1e6, memory / count, analysing / opening);
}

}  // namespace
}  // namespace tidal::text

int main(int argc, char** argv) {
    using namespace tidal::text;
    const std::size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    Random random;
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) texts.push_back("item " + std::to_string(i));
    run("titles with words of their own", texts);
    for (std::string& text : texts) text = zipf_words(5, &random);
    run("titles of 5 words", texts);
    texts.resize(std::max<std::size_t>(count / 10, 1));
    for (std::string& text : texts) text = zipf_words(100, &random);
    run("bodies of 100 words", texts);
    return 0;
}
