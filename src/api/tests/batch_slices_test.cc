// A long batch is applied in slices: who reads meanwhile comes in between, and reads all that is
// applied so far.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "api/database.h"
#include "runtime/real_runtime.h"
#include "runtime/task.h"

namespace tidal::api {
namespace batch_slices_test {

constexpr std::string_view kSchema = R"(
items: {ids: u64}
users: {ids: u64}
creators: {ids: u64}
signals:
  view: {polarity: neutral, half_life: 1d, windows: [all]}
)";

template <typename T, typename Start>
runtime::Task<Result<T>> answered_by(Start start) {
    runtime::Completion<T> done;
    start(done.completer());
    Result<T> result = co_await done;
    co_return result;
}
template <typename T, typename Start>
Result<T> wait_for(Start start) {
    return runtime::sync_wait(answered_by<T>(std::move(start)));
}

class BatchSlices : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "slices-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
        runtime_ = runtime::make_real_runtime({folder_, {}}).value();
        DatabaseOptions options;
        options.schema = std::string(kSchema);
        options.shards = 1;
        database_ = Database::open(options, *runtime_).value();
        ASSERT_TRUE(wait_for<void>([&](auto done) { database_->start(std::move(done)); }).ok());
    }
    void TearDown() override {
        (void)wait_for<void>(
            [&](auto done) { database_->stop([done = std::move(done)]() mutable { done({}); }); });
        database_.reset();
        runtime_.reset();
        std::filesystem::remove_all(folder_);
    }
    static std::vector<Write> batch_of(std::int64_t count) {
        std::vector<Write> batch;
        for (std::int64_t i = 0; i < count; ++i) {
            SignalWrite view;
            view.id = IdInput(std::uint64_t{1});
            view.signal = "view";
            batch.emplace_back(std::move(view));
        }
        return batch;
    }
    /// Until all of them are applied.
    void write(std::vector<Write> writes) {
        const auto replies = wait_for<WriteReplies>([&](auto done) {
            CallContext context;
            context.write_concern = shard::WriteConcern::kLocal;
            database_->write(std::move(writes), context, std::move(done));
        });
        ASSERT_TRUE(replies.ok());
        for (const auto& reply : *replies) ASSERT_TRUE(reply.ok());
    }
    std::int64_t views() {
        EntityRequest request;
        request.kind = EntityKind::kItem;
        request.id = IdInput(std::uint64_t{1});
        const auto all = database_->signals(request);
        if (!all.ok()) return -1;
        return all->signals[0]
            .reading.windows[static_cast<std::size_t>(schema::Window::kAll)]
            .count;
    }

    std::int64_t exported() {
        std::int64_t count = 0;
        ExportRequest request;
        request.limit = 100'000;
        for (ExportPage page; !page.end; request.position = page.position) {
            auto next = database_->export_signals(request);
            if (!next.ok()) return -1;
            page = std::move(*next);
            count += static_cast<std::int64_t>(page.signals.size());
        }
        return count;
    }

    std::string folder_;
    std::unique_ptr<runtime::Runtime> runtime_;
    std::unique_ptr<Database> database_;
};

TEST_F(BatchSlices, AReadComesInBetweenAndSeesWhatIsApplied) {
    constexpr std::int64_t kViews = 50'000;
    EntityWrite item;
    item.id = IdInput(std::uint64_t{1});
    write({std::move(item)});
    std::atomic<bool> ended{false};
    std::thread writer([&] {
        write(batch_of(kViews));
        ended = true;
    });
    std::int64_t before = 0;
    int between = 0, fallen = 0;
    while (!ended) {
        const std::int64_t now = views();
        between += now > 0 && now < kViews ? 1 : 0;
        fallen += now < before ? 1 : 0;
        before = now;
    }
    writer.join();
    EXPECT_GT(between, 0);
    EXPECT_EQ(fallen, 0);
    EXPECT_EQ(views(), kViews) << "all are counted once they are acknowledged";
}

TEST_F(BatchSlices, AnExportHoldsWhatAReadHasSeen) {
    EntityWrite item;
    item.id = IdInput(std::uint64_t{1});
    write({std::move(item)});
    std::atomic<bool> ended{false};
    std::thread writer([&] {
        for (int i = 0; i < 5; ++i) write(batch_of(20'000));
        ended = true;
    });
    int looked = 0, behind = 0;
    while (!ended) {
        const std::int64_t seen = views();
        behind += exported() < seen ? 1 : 0;
        ++looked;
    }
    writer.join();
    EXPECT_GT(looked, 0);
    EXPECT_EQ(behind, 0);
    EXPECT_EQ(exported(), 100'000);
}

}  // namespace batch_slices_test
}  // namespace tidal::api
