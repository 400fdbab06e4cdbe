// Words and vectors together answer public collections better than either, through the database.
#include <gtest/gtest.h>

#include "api/tests/latent_semantics.h"
#include "api/tests/sim_node.h"
#include "text/tests/collections.h"

namespace tidal::api {
namespace hybrid_quality_test {

constexpr std::size_t kDimensions = 64;

class HybridQuality : public testing::Test {
protected:
    void load(text::Collection collection) {
        collection_ = std::move(collection);
        vectors_.emplace(collection_.documents, kDimensions);
        DatabaseOptions options;
        options.schema = "items: {fields: {text: text}, embeddings: {latent: {dimensions: " +
                         std::to_string(kDimensions) + "}}}";
        options.shards = 2;
        node_.emplace(options);
        node_->options().log.file_bytes = 16 << 20;
        ASSERT_OK(node_->open());
        std::vector<Write> writes;
        for (const auto& [number, text] : collection_.documents) {
            EntityWrite document;
            document.id = std::uint64_t{number};
            document.metadata = {{"text", text}};
            writes.emplace_back(std::move(document));
            EmbeddingWrite vector;
            vector.id = std::uint64_t{number};
            vector.values = vectors_->vector(text);
            if (!vector.values.empty()) writes.emplace_back(std::move(vector));
        }
        for (const auto& reply : node_->write(std::move(writes)))
            ASSERT_TRUE(reply.ok()) << reply.error().to_string();
        put("words", "candidates text(query); score bm25;");
        put("near", "candidates ann(latent, vector); score similarity(latent);");
        put("places", "candidates union(text(query), ann(latent, vector)); score fused;");
        put("both",
            "candidates union(text(query), ann(latent, vector)); score (1 - param(part)) * "
            "bm25 / (bm25 + 10) + param(part) * similarity(latent);");
    }

    void put(const std::string& name, const std::string& body) {
        const std::string text = "profile " + name + " version 1 { " + body + " }";
        ASSERT_OK(node_->wait([&](Database::Done done) {
            (*node_)->put_profile(text, false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
        }));
    }

    /// Mean nDCG@10, gains 0 and 1, over the queries of one parity.
    double ndcg(const std::string& profile, unsigned parity, std::optional<double> part = {}) {
        double sum = 0, queries = 0;
        for (const auto& [number, relevant] : collection_.relevant) {
            if (number % 2 != parity) continue;
            ++queries;
            FeedCall call;
            call.profile = profile;
            call.limit = 10;
            call.fields.emplace();
            const std::string& text = collection_.queries.at(number);
            if (profile != "near") call.query = words_of(text);
            if (profile != "words") call.vector = vectors_->vector(text);
            if (part) call.params["part"] = *part;
            const auto page = (*node_)->feed(call);
            EXPECT_TRUE(page.ok()) << page.error().to_string();
            if (!page.ok()) return 0;
            double gain = 0, ideal = 0;
            for (const FeedItem& item : page->items)
                if (relevant.contains(static_cast<std::uint32_t>(item.entity.id.number())))
                    gain += 1 / std::log2(static_cast<double>(item.rank) + 1);
            for (std::size_t i = 1; i <= std::min<std::size_t>(relevant.size(), 10); ++i)
                ideal += 1 / std::log2(static_cast<double>(i) + 1);
            sum += gain / ideal;
        }
        return sum / queries;
    }

    /// Chosen on the even queries, measured on the odd ones.
    void expect_better_together(const char* name) {
        double best = 0, part = 0;
        for (const double each : {0.1, 0.25, 0.4, 0.6})
            if (const double now = ndcg("both", 0, each); now > best) {
                best = now;
                part = each;
            }
        const double words = ndcg("words", 1), near = ndcg("near", 1);
        const double both = ndcg("both", 1, part), places = ndcg("places", 1);
        std::printf(
            "%s, odd queries, nDCG@10: words %.4f, vectors %.4f, weighted (%.1f) %.4f, "
            "reciprocal ranks %.4f\n",
            name, words, near, part, both, places);
        EXPECT_GE(both, std::max(words, near));
        EXPECT_GT(places, std::min(words, near));
    }

private:
    /// Without what the query language would read as more than words.
    static std::string words_of(std::string text) {
        for (char& c : text)
            if (c != '\'' && !std::isalnum(static_cast<unsigned char>(c))) c = ' ';
        return text;
    }

    text::Collection collection_;
    std::optional<LatentSemantics> vectors_;
    std::optional<SimNode> node_;
};

TEST_F(HybridQuality, OfCranfield) {
    auto collection = text::cranfield();
    if (!collection) GTEST_SKIP() << "TIDAL_TEST_DATA has no cranfield";
    ASSERT_NO_FATAL_FAILURE(load(std::move(*collection)));
    expect_better_together("cranfield");
}

TEST_F(HybridQuality, OfCacm) {
    auto collection = text::cacm();
    if (!collection) GTEST_SKIP() << "TIDAL_TEST_DATA has no cacm";
    ASSERT_NO_FATAL_FAILURE(load(std::move(*collection)));
    expect_better_together("cacm");
}

}  // namespace hybrid_quality_test
}  // namespace tidal::api
