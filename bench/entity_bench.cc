// bench/entity_bench.cc: upserts into an entity table and the start of a table of N entities.
//
//     entity_bench [entities = 1000000] [directory = /tmp/entity_bench]
//
// Prints nanoseconds per upsert (new, and changed fields, rows in memory) and the time to open the
// table from RocksDB beside the time to read the same rows alone. The directory is removed.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>

#include "entity/entity_table.h"
#include "record/value.h"
#include "runtime/real_runtime.h"
#include "schema/schema.h"
#include "storage/shard_store.h"

namespace tidal {
namespace {

/// Wall time, and the time this thread had a core: on a machine with other work only the second
/// says what the code costs.
class Stopwatch {
public:
    double wall() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
    double cpu() const { return cpu_now() - cpu_begin_; }

private:
    using Clock = std::chrono::steady_clock;
    static double cpu_now() {
        timespec now{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
    }
    Clock::time_point begin_ = Clock::now();
    double cpu_begin_ = cpu_now();
};

void print_each(const char* what, const Stopwatch& watch, std::uint64_t count) {
    const double n = static_cast<double>(count);
    std::printf("%-20s %8.0f ns each, %8.0f ns of one core\n", what, watch.wall() * 1e9 / n,
                watch.cpu() * 1e9 / n);
}

template <typename T>
T must(Result<T> result) {
    if (result.ok()) return std::move(result).value();
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}
void must(Result<void> result) {
    if (result.ok()) return;
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}

/// Rows come back from the store in another order than slots.
EntityId id(std::uint64_t n) {
    return EntityId(n * 0x9e3779b97f4a7c15ULL);
}

/// What an application's item looks like under the built-in schema.
record::UpsertBody item(std::uint64_t n) {
    static constexpr const char* kGenres[] = {"action", "comedy", "drama",
                                              "horror", "music",  "war"};
    record::UpsertBody body;
    body.id = id(n);
    body.fields = {{FieldId(0), "A title of usual length, number " + std::to_string(n)},
                   {FieldId(1), std::string(kGenres[n % 6])},
                   {FieldId(2), std::vector<std::string>{kGenres[n % 5], kGenres[5]}},
                   {FieldId(3), static_cast<std::int64_t>(1950 + n % 75)}};
    body.creator = EntityId(n % 10007);
    return body;
}

struct Store {
    explicit Store(runtime::Runtime& runtime)
        : rows(must(storage::open_rocksdb_rows(runtime.disk().native_path("rows")))),
          shard(must(storage::ShardStore::open(runtime.disk(), *rows, ShardId(1), "s0001"))) {}
    std::unique_ptr<storage::RowEngine> rows;
    std::unique_ptr<storage::ShardStore> shard;
};

void fill(runtime::Runtime& runtime, std::shared_ptr<const schema::Schema> schema,
          std::uint64_t count) {
    Store store(runtime);
    auto table = must(entity::EntityTable::open(EntityKind::kItem, *store.shard, schema));
    {
        const Stopwatch watch;
        for (std::uint64_t n = 0; n < count; ++n)
            (void)must(table->upsert(item(n), HybridTime::from(static_cast<UnixMillis>(n + 1), 0)));
        print_each("upsert, new", watch, count);
    }
    {
        const Stopwatch watch;
        for (std::uint64_t n = 0; n < count; n += 10) {
            record::UpsertBody body;
            body.id = id(n);
            body.fields = {{FieldId(3), std::int64_t{2000}}};
            const auto stamp = HybridTime::from(static_cast<UnixMillis>(count + n + 1), 0);
            (void)must(table->upsert(body, stamp));
        }
        print_each("upsert, one field", watch, count / 10);
    }
    {
        const Stopwatch watch;
        std::uint64_t found = 0;
        for (std::uint64_t n = 0; n < count; ++n) found += table->find(id(n)).has_value() ? 1 : 0;
        if (found != count) std::abort();
        print_each("find", watch, count);
    }
    const Stopwatch watch;
    store.shard->begin_checkpoint(LogIndex(1));
    while (!store.shard->copy_out(1000)) {
    }
    must(store.shard->write_checkpoint());
    store.shard->finish_checkpoint(true);
    std::printf("checkpoint           %8.2f s\n", watch.wall());
}

void start(runtime::Runtime& runtime, std::shared_ptr<const schema::Schema> schema) {
    for (int round = 0; round < 3; ++round) {
        Store store(runtime);
        std::uint64_t rows = 0, bytes = 0;
        const auto scan = [&] {
            must(store.shard->scan("e/", [&](std::string_view key, std::string_view value) {
                ++rows;
                bytes += key.size() + value.size();
                return true;
            }));
        };
        const Stopwatch read;
        scan();
        const double read_wall = read.wall(), read_cpu = read.cpu();
        const Stopwatch opened;
        auto table = must(entity::EntityTable::open(EntityKind::kItem, *store.shard, schema));
        std::printf(
            "open %u entities: %.3f s, %.3f s of one core; reading their %.0f MB of rows alone: "
            "%.3f s, %.3f s of one core\n",
            table->slot_count(), opened.wall(), opened.cpu(), static_cast<double>(bytes) / 1e6,
            read_wall, read_cpu);
    }
}

}  // namespace
}  // namespace tidal

int main(int argc, char** argv) {
    const std::uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    const std::string directory = argc > 2 ? argv[2] : "/tmp/entity_bench";
    std::filesystem::remove_all(directory);
    {
        auto runtime = tidal::must(tidal::runtime::make_real_runtime({directory, {}}));
        auto schema = std::make_shared<tidal::schema::Schema>(
            tidal::must(tidal::schema::parse_schema(tidal::schema::default_schema_yaml())));
        tidal::fill(*runtime, schema, count);
        tidal::start(*runtime, schema);
    }
    std::filesystem::remove_all(directory);
    return 0;
}
