// bench/hybrid/hybrid_bench.cc: queries of words and a vector, beside Lucene 8 and hnswlib in one
// program, for bench/hybrid.sh.
//
//     hybrid_bench DIR CLASSES [queries = 1000]
//
// DIR has documents.txt and queries.txt of text_search_bench (its head says what they are); the
// vector of each document and query, 128 dimensions, l2, is the next of generated_vectors.h. Asked
// for are the 10 best by reciprocal ranks (1 / (60 + rank)) of the 200 best by words, any of which
// may match, and the 200 nearest:
//
//   peer     LuceneInProcess.best (block-max WAND, one segment) by JNI, hnswlib 0.6.2 (M 16, ef of
//            construction 200) at the least ef whose recall@200 is 0.95, fused in C++
//   tidalDB  Database::feed in the same process, from call to reply, of a database in memory, at
//   the
//            least effort whose recall@200 is 0.95
//
// and each part of either alone. One thread asks. Every query is asked ten times to warm up, as
// Java's compiler needs it, then five times, contender after contender through all queries, on the
// wall clock. The quality is the share of the 10 best by exact lists, which come from looking at
// everything, that is among the 10 found.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <hnswlib/hnswlib.h>

#include "../database_bed.h"
#include "exact_lists.h"
#include "lucene.h"

namespace tidal::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kDimensions = 128, kListed = 200, kTop = 10;
constexpr std::size_t kWarmUp = 10, kRounds = 5, kBands = 3;
constexpr double kRecall = 0.95;  ///< Of the 200 nearest, of either.

constexpr std::string_view kSchema = R"(
items:
  ids: u64
  fields: {body: {type: text, language: none}}
  embeddings: {content: {dimensions: 128, metric: l2, storage: f32}}
users: {ids: u64}
creators: {ids: u64}
signals: {like: {polarity: positive, half_life: 7d, windows: [all]}}
)";

double us_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

std::vector<std::string> lines(const std::string& path) {
    std::ifstream in(path);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    if (out.empty()) must(Result<void>(Error(ErrorCode::kNotFound, path + ": nothing there")));
    return out;
}

api::DatabaseOptions with_words_and_vectors() {
    api::DatabaseOptions options;
    options.schema = std::string(kSchema);
    return options;
}

/// One way to answer, and how long it took, in microseconds.
struct Contender {
    const char* name;
    std::function<Ids(std::size_t)> ask;
    std::vector<double> us;       ///< Of every time asked.
    std::vector<double> band_us;  ///< Sums by band of frequency.
    std::vector<Ids> found;       ///< By query.
};

class Bench {
public:
    Bench(const std::string& folder, const std::string& classes, std::size_t queries)
        : documents_(lines(folder + "/documents.txt")),
          queries_(lines(folder + "/queries.txt")),
          asked_(std::min(queries, queries_.size())),
          vectors_(clusters(documents_.size(), kDimensions, asked_)),
          space_(kDimensions),
          hnsw_(&space_, documents_.size(), 16, 200),
          lucene_(classes, folder) {}

    /// Our graph is made in the background meanwhile.
    void load() {
        for (const char* const profile :
             {"profile both version 1 { candidates union(text(query) limit 200, "
              "ann(content, vector) limit 200); score fused; order score desc; }",
              "profile words version 1 { candidates text(query) limit 200; score fused; order "
              "score desc; }",
              "profile near version 1 { candidates ann(content, vector) limit 200; score fused; "
              "order score desc; }"})
            must(wait<api::CatalogReply>(
                [&](auto done) { bed_->put_profile(profile, false, std::move(done)); }));
        std::vector<api::Write> writes;
        for (std::size_t i = 0; i < documents_.size(); ++i) {
            api::EntityWrite entity;
            entity.id = std::uint64_t{i};
            entity.metadata = {{"body", documents_[i]}};
            writes.emplace_back(std::move(entity));
            api::EmbeddingWrite vector;
            vector.id = std::uint64_t{i};
            vector.slot = "content";
            vector.values.assign(vectors_.row(i), vectors_.row(i) + kDimensions);
            writes.emplace_back(std::move(vector));
            if (writes.size() >= 2'000) bed_.send(std::exchange(writes, {}));
        }
        bed_.send(std::move(writes));
        for (std::size_t i = 0; i < documents_.size(); ++i) hnsw_.addPoint(vectors_.row(i), i);
        const std::uint64_t left = bed_.wait_for_graphs(documents_.size());
        std::printf("%zu documents, all but %llu of their vectors in graphs of ours\n",
                    documents_.size(), static_cast<unsigned long long>(left));
    }

    void find_exactly() {
        const ExactWords words(documents_);
        for (std::size_t query = 0; query < asked_; ++query) {
            words_.push_back(words.best(queries_[query], kListed));
            near_.push_back(nearest(vectors_, query, kListed));
            both_.push_back(fuse(words_.back(), near_.back(), kTop));
        }
        choose_ef();
        choose_effort();
    }

    void compare() {
        std::vector<Contender> all;
        const auto enter = [&](const char* name, std::function<Ids(std::size_t)> ask) {
            all.push_back({name, std::move(ask), {}, std::vector<double>(kBands), {}});
        };
        enter("peer", [&](auto query) {
            const Ids words = lucene_.best(queries_[query], kListed);
            return fuse(words, by_hnsw(query), kTop);
        });
        enter("tidalDB", [&](auto query) { return page(query, "both", true, true); });
        enter("Lucene", [&](auto query) { return lucene_.best(queries_[query], kListed); });
        enter("hnswlib", [&](auto query) { return by_hnsw(query); });
        enter("words", [&](auto query) { return page(query, "words", true, false); });
        enter("near", [&](auto query) { return page(query, "near", false, true); });
        for (std::size_t round = 0; round < kWarmUp + kRounds; ++round)
            for (Contender& each : all) ask_all(&each, round);
        std::printf("%-8s %8s %8s %8s %8s %26s %10s\n", "", "mean us", "p50", "p99", "n",
                    "mean by band of frequency", "recall@10");
        for (Contender& each : all) print(&each);
        std::printf("tidalDB's mean is 1/%.2f of the peer's\n", mean(all[0]) / mean(all[1]));
    }

private:
    Ids by_hnsw(std::size_t query) {
        auto found = hnsw_.searchKnn(vectors_.query(query).data(), kListed);
        Ids out(found.size());
        for (std::size_t i = out.size(); i-- > 0; found.pop())
            out[i] = static_cast<std::uint32_t>(found.top().second);
        return out;
    }
    void choose_ef() {
        for (std::size_t ef = kListed; ef <= 10 * kListed; ef += 20) {
            hnsw_.setEf(ef);
            double sum = 0;
            for (std::size_t query = 0; query < asked_; ++query)
                sum += share_found(by_hnsw(query), near_[query]);
            const double recall = sum / static_cast<double>(asked_);
            if (recall < kRecall) continue;
            std::printf("hnswlib: ef %zu, recall@200 %.4f\n", ef, recall);
            return;
        }
        must(Result<void>(Error(ErrorCode::kInternal, "hnswlib finds too little at any ef")));
    }

    /// The least that finds as much as is asked of the peer.
    void choose_effort() {
        for (const char* const effort : {"low", "default", "high"}) {
            effort_ = effort;
            double sum = 0;
            for (std::size_t query = 0; query < asked_; ++query)
                sum += share_found(page(query, "near", false, true, kListed), near_[query]);
            const double recall = sum / static_cast<double>(asked_);
            std::printf("tidalDB: effort=%s, recall@200 %.4f\n", effort, recall);
            if (recall >= kRecall) return;
        }
        must(Result<void>(Error(ErrorCode::kInternal, "too little is found at any effort")));
    }

    Ids page(std::size_t query, const char* profile, bool words, bool near,
             std::size_t limit = kTop) {
        api::FeedCall call;
        call.profile = profile;
        call.limit = static_cast<std::uint32_t>(limit);
        call.effort = effort_;
        call.fields.emplace();
        if (words) call.query = queries_[query];
        if (near) {
            const auto vector = vectors_.query(query);
            call.vector.assign(vector.begin(), vector.end());
        }
        const api::FeedReply reply = must(bed_->feed(call));
        Ids out;
        for (const auto& item : reply.items)
            out.push_back(static_cast<std::uint32_t>(item.entity.id.number()));
        return out;
    }

    void ask_all(Contender* contender, std::size_t round) {
        for (std::size_t query = 0; query < asked_; ++query) {
            const auto begin = Clock::now();
            Ids found = contender->ask(query);
            const double us = us_since(begin);
            if (round == 0) {
                found.resize(std::min(found.size(), kTop));
                contender->found.push_back(std::move(found));
            }
            if (round < kWarmUp) continue;
            contender->us.push_back(us);
            contender->band_us[query % kBands] += us;
        }
    }
    static double mean(const Contender& contender) {
        double sum = 0;
        for (const double each : contender.us) sum += each;
        return sum / static_cast<double>(contender.us.size());
    }
    void print(Contender* contender) const {
        const auto& wanted = contender->name == std::string_view("Lucene") ||
                                     contender->name == std::string_view("words")
                                 ? words_
                             : contender->name == std::string_view("hnswlib") ||
                                     contender->name == std::string_view("near")
                                 ? near_
                                 : both_;
        double recall = 0;
        for (std::size_t query = 0; query < asked_; ++query) {
            Ids best = wanted[query];
            best.resize(std::min(best.size(), kTop));
            recall += share_found(contender->found[query], best);
        }
        auto& us = contender->us;
        std::ranges::sort(us);
        std::printf("%-8s %8.0f %8.0f %8.0f %8zu", contender->name, mean(*contender),
                    us[us.size() / 2], us[us.size() * 99 / 100], us.size());
        const double of_band = static_cast<double>(us.size()) / kBands;
        for (const double sum : contender->band_us) std::printf(" %8.0f", sum / of_band);
        std::printf(" %10.4f\n", recall / static_cast<double>(asked_));
    }

    const std::vector<std::string> documents_, queries_;
    const std::size_t asked_;
    const VectorSet vectors_;
    hnswlib::L2Space space_;
    hnswlib::HierarchicalNSW<float> hnsw_;
    Lucene lucene_;
    DatabaseBed bed_{with_words_and_vectors()};
    std::string effort_;
    std::vector<Ids> words_, near_, both_;  ///< Exact, by query.
};

}  // namespace
}  // namespace tidal::bench

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: hybrid_bench DIR CLASSES [queries]\n");
        return 2;
    }
    tidal::bench::Bench bench(argv[1], argv[2],
                              argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1'000);
    bench.load();
    bench.find_exactly();
    bench.compare();
    return 0;
}
