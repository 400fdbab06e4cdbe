// bench/database_bed.h: a database in memory, of one shard, and calls of it that wait and must
// succeed.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "api/database.h"
#include "runtime/real_runtime.h"
#include "runtime/task.h"

namespace tidal::bench {

template <typename T>
T must(Result<T> result) {
    if (result.ok()) return std::move(result).value();
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}
inline void must(const Result<void>& result) {
    if (!result.ok()) must(Result<int>(result.error()));
}

template <typename T, typename Start>
runtime::Task<Result<T>> answered(Start start) {
    runtime::Completion<T> done;
    start(done.completer());
    Result<T> result = co_await done;
    co_return result;
}
/// What the callback that `start` is given is called with.
template <typename T, typename Start>
Result<T> wait(Start start) {
    return runtime::sync_wait(answered<T>(std::move(start)));
}

class DatabaseBed {
public:
    explicit DatabaseBed(api::DatabaseOptions options = {})
        : runtime_(must(runtime::make_real_runtime({}))) {
        options.ephemeral = true;
        options.shards = 1;
        database_ = must(api::Database::open(options, *runtime_));
        must(wait<void>([&](auto done) { database_->start(std::move(done)); }));
    }
    ~DatabaseBed() {
        (void)wait<void>([this](auto done) {
            database_->stop([done = std::move(done)]() mutable { done({}); });
        });
    }
    void send(std::vector<api::Write> writes) {
        const auto replies = must(wait<api::WriteReplies>([&](auto done) {
            api::CallContext context;
            context.write_concern = shard::WriteConcern::kMemory;
            database_->write(std::move(writes), context, std::move(done));
        }));
        for (const auto& reply : replies)
            if (!reply.ok()) must(Result<void>(reply.error()));
    }
    /// Until the background has put so many vectors into graphs, but for what may be too little for
    /// one of its own. @return how many it has not.
    std::uint64_t wait_for_graphs(std::uint64_t vectors) {
        constexpr std::uint64_t kTailMax = 8'192;  // As ShardState::Options::graph_vectors_min.
        std::uint64_t made = 0;
        for (int still = 0; made < vectors && still < 5;) {
            std::this_thread::sleep_for(std::chrono::seconds(1));
            const std::uint64_t before =
                std::exchange(made, database_->stats().shards[1].graph_vectors);
            still = vectors - made <= kTailMax && made == before ? still + 1 : 0;
        }
        return vectors - made;
    }
    api::Database& operator*() { return *database_; }
    api::Database* operator->() { return database_.get(); }

private:
    std::unique_ptr<runtime::Runtime> runtime_;
    std::unique_ptr<api::Database> database_;
};

}  // namespace tidal::bench
