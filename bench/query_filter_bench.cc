// bench/query_filter_bench.cc: filters over one table: bitmaps, ranges at several selectivities,
// deep trees.
//
//     query_filter_bench [items = 1000000] [directory = /tmp/query_filter_bench]
//
// Prints microseconds per evaluation (the median of nine), and matches. A range is measured twice:
// while its column is not sorted (a scan), and after. `sort` is what the queries pay for sorting,
// in all. The directory is removed.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "entity/entity_table.h"
#include "query/bound_filter.h"
#include "query/selectivity.h"
#include "record/value.h"
#include "runtime/real_runtime.h"
#include "schema/schema.h"
#include "storage/shard_store.h"

namespace tidal {
namespace {

constexpr UnixMillis kNow = 1'767'225'600'000;
constexpr std::string_view kSchema = R"(
items:
  fields:
    category: keyword
    year: int
    price: float
    place: geo
)";

template <typename T>
T must(Result<T> result) {
    if (result.ok()) return std::move(result).value();
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}

double micros(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
        .count();
}

void fill(entity::EntityTable& table, std::uint64_t count) {
    std::uint64_t random = 88172645463325252ULL;  // xorshift64 (Marsaglia 2003)
    const auto next = [&] {
        random ^= random << 13;
        random ^= random >> 7;
        return random ^= random << 17;
    };
    for (std::uint64_t n = 0; n < count; ++n) {
        record::UpsertBody body;
        body.id = EntityId(n);
        body.created_at.emplace(kNow - static_cast<UnixMillis>(next() % 31'536'000'000));
        body.fields = {{FieldId(0), "category " + std::to_string(next() % 100)},
                       {FieldId(1), static_cast<std::int64_t>(next() % 1000)},
                       {FieldId(2), static_cast<double>(next() % 1'000'000) / 1e4},
                       {FieldId(3), record::GeoPoint{static_cast<double>(next() % 180) - 90,
                                                     static_cast<double>(next() % 360) - 180}}};
        (void)must(table.upsert(body, HybridTime::from(static_cast<UnixMillis>(n + 1), 0)));
    }
}

class Bench {
public:
    Bench(const entity::EntityTable& table, const schema::Schema& schema)
        : table_(table), schema_(schema) {}

    void run(const char* name, const std::string& text) const {
        const auto bound = must(
            query::bind_filter(must(query::parse_filter(text)), text, schema_, EntityKind::kItem));
        std::vector<double> times;
        std::uint64_t matched = 0;
        for (int i = 0; i < 9; ++i) {
            const auto begin = std::chrono::steady_clock::now();
            matched = query::evaluate(bound, table_, table_.live(), kNow).cardinality();
            times.push_back(micros(begin));
        }
        std::ranges::nth_element(times, times.begin() + 4);
        std::printf("%-44s %10.0f us %10llu matches\n", name, times[4],
                    static_cast<unsigned long long>(matched));
    }

    /// Queries until every column of `text` is sorted.
    void sort(const std::string& text) const {
        const auto bound = must(
            query::bind_filter(must(query::parse_filter(text)), text, schema_, EntityKind::kItem));
        double total = 0, worst = 0;
        int queries = 0;
        for (bool sorted = false; !sorted; ++queries) {
            const auto begin = std::chrono::steady_clock::now();
            sorted = query::estimate_nodes(bound, table_, kNow)[0].indexed;
            total += micros(begin);
            worst = std::max(worst, micros(begin));
        }
        std::printf("%-44s %10.0f us in %d queries, %.0f us the longest\n", "  sort", total,
                    queries, worst);
    }

private:
    const entity::EntityTable& table_;
    const schema::Schema& schema_;
};

void measure(const entity::EntityTable& table, const schema::Schema& schema) {
    const Bench bench(table, schema);
    bench.run("category = (1 %)", "category = 'category 7'");
    bench.run("category LIKE (11 %)", "category LIKE 'category 7%'");
    bench.run("NOT category =", "NOT category = 'category 7'");
    bench.run("place within 500 km", "near(48, 11, 500)");
    bench.run("year = (0.1 %), while sorting", "year = 3");
    bench.sort("year = 3");
    bench.run("year = (0.1 %)", "year = 3");
    bench.run("year < 10 (1 %)", "year < 10");
    bench.run("year < 100 (10 %)", "year < 100");
    bench.run("year < 500 (50 %)", "year < 500");
    bench.run("year >= 10 (99 %)", "year >= 10");
    bench.run("NOT year < 10 (99 %, a scan)", "NOT year < 10");
    bench.sort("created_within 3d");
    bench.run("created_within 3d (0.8 %)", "created_within 3d");
    bench.run("category = AND year =", "category = 'category 7' AND year = 3");
    bench.run("category = AND near()", "category = 'category 7' AND near(48, 11, 500)");
    bench.run("year = OR year =", "year = 3 OR year = 4");
    std::string deep = "year = 3";
    for (int i = 0; i < 30; ++i)
        deep = "(" + deep + " OR year = " + std::to_string(i + 10) +
               ") AND NOT category = 'category " + std::to_string(i) + "'";
    bench.run("60 levels, 61 conditions", deep);
}

int run(int argc, char** argv) {
    const std::uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    const std::string directory = argc > 2 ? argv[2] : "/tmp/query_filter_bench";
    std::filesystem::remove_all(directory);
    {
        const auto runtime = must(runtime::make_real_runtime({directory, {}}));
        const auto schema =
            std::make_shared<const schema::Schema>(must(schema::parse_schema(kSchema)));
        const auto rows = must(storage::open_rocksdb_rows(runtime->disk().native_path("rows")));
        const auto store =
            must(storage::ShardStore::open(runtime->disk(), *rows, ShardId(1), "s0001"));
        const auto table = must(entity::EntityTable::open(EntityKind::kItem, *store, schema));
        fill(*table, count);
        measure(*table, *schema);
    }
    std::filesystem::remove_all(directory);
    return 0;
}

}  // namespace
}  // namespace tidal

int main(int argc, char** argv) {
    return tidal::run(argc, argv);
}
