// An export gives every signal of the log once, in pages of any size, from any position.
#include "api/tests/sim_node.h"

namespace tidal::api {
namespace export_test {

std::string print(const ExportedSignal& one) {
    return one.id.to_string() + (one.undo ? " undo " + one.undo_key : " " + one.signal) + " " +
           std::to_string(one.weight) + " " + std::to_string(one.at_ms) + " " +
           (one.user_id ? one.user_id->to_string() : "-") + " " + one.session_id + " " +
           one.context;
}

/// Lines of all pages from `position` to the end; `limit` bounds each.
std::vector<ExportedSignal> read_all(SimNode& node, std::uint32_t limit,
                                     std::string position = {}) {
    std::vector<ExportedSignal> all;
    for (int pages = 0;; ++pages) {
        ExportRequest request;
        request.limit = limit;
        request.position = position;
        auto page = node->export_signals(request);
        if (!page.ok() || pages > 10'000) {
            ADD_FAILURE() << (page.ok() ? "the pages do not end" : page.error().to_string());
            return all;
        }
        EXPECT_LE(page->signals.size(), limit);
        EXPECT_TRUE(page->end || page->position != position) << "a page without progress";
        for (auto& one : page->signals) all.push_back(std::move(one));
        if (page->end) return all;
        position = page->position;
    }
}
std::vector<std::string> lines(const std::vector<ExportedSignal>& signals) {
    std::vector<std::string> out;
    for (const auto& one : signals) out.push_back(print(one));
    return out;
}

class Export : public testing::Test {
protected:
    Export() : node({.shards = 2, .executors = 2}) {}
    void SetUp() override {
        ASSERT_OK(node.open());
        for (std::uint64_t id = 1; id <= 6; ++id) node.put(item(id, 1 + id % 3));
        for (std::uint64_t bulk = 1; bulk <= 12; ++bulk) {
            std::vector<Write> writes;
            for (std::uint64_t i = 0; i < bulk; ++i) {
                SignalWrite write = signal(1 + (bulk + i) % 6, i % 2 == 0 ? "view" : "like");
                write.weight = static_cast<double>(written_++) / 16;
                write.user_id = IdInput(i % 3);
                write.context = "bulk " + std::to_string(bulk);
                write.session_id = "s" + std::to_string(i);
                write.under_policy = false;
                writes.push_back(write);
                expected_.insert(write.weight);
            }
            for (const auto& reply : node.write(writes)) ASSERT_OK(reply);
            if (bulk % 4 == 0) ASSERT_OK(node.checkpoint());
        }
        node.put(signal(1, "share", "key"));
        node.put(SignalUndo{std::uint64_t{1}, "key", ""});
        ASSERT_FALSE(node.write_one(signal(99, "like")).ok());  // refused: not exported
        node.rest();
    }

    SimNode node;
    int written_ = 0;
    std::multiset<double> expected_;
};

TEST_F(Export, HasEverySignalOnce) {
    std::multiset<double> weights;
    int undos = 0, shares = 0;
    for (const ExportedSignal& one : read_all(node, 1000)) {
        undos += one.undo && one.undo_key == "key" ? 1 : 0;
        shares += one.signal == "share" ? 1 : 0;
        if (!one.undo && one.signal != "share") weights.insert(one.weight);
    }
    EXPECT_EQ(weights, expected_);
    EXPECT_EQ(undos, 1);
    EXPECT_EQ(shares, 1);
}

TEST_F(Export, PagesOfAnySizeAddUpToTheSame) {
    const auto all = lines(read_all(node, 100'000));
    for (const std::uint32_t limit : {1, 2, 3, 7, 50}) EXPECT_EQ(lines(read_all(node, limit)), all);
}

TEST_F(Export, GoesOnAfterEveryLine) {
    const auto all = read_all(node, 100'000);
    const auto texts = lines(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::vector<std::string> rest(texts.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                            texts.end());
        EXPECT_EQ(lines(read_all(node, 5, all[i].position)), rest) << "after line " << i;
    }
}

TEST_F(Export, IsTheSameAfterCheckpointsAndRestarts) {
    const auto before = lines(read_all(node, 1000));
    ASSERT_OK(node.checkpoint());
    node.world().advance(10 * kSecondNs);
    EXPECT_EQ(lines(read_all(node, 10)), before);
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(lines(read_all(node, 10)), before);
    node.put(signal(1, "hide"));
    EXPECT_EQ(read_all(node, 10).size(), before.size() + 1);
}

TEST_F(Export, ItsEndGoesOnWithWhatIsWrittenLater) {
    std::string position = read_all(node, 1000).back().position;
    for (int round = 0; round < 3; ++round) {
        std::vector<std::string> written;
        for (std::uint64_t id = 1; id <= 6; ++id) {  // on both shards
            node.put(
                signal(id, "hide", "round " + std::to_string(round) + " of " + std::to_string(id)));
            written.push_back(std::to_string(id));
        }
        node.rest();
        std::vector<std::string> found;
        for (const ExportedSignal& one : read_all(node, 4, position)) {
            EXPECT_EQ(one.signal, "hide");
            found.push_back(one.id.to_string());
            position = one.position;
        }
        std::sort(found.begin(), found.end());
        EXPECT_EQ(found, written) << "round " << round;
    }
}

TEST_F(Export, FiltersBySignalUserAndTime) {
    ExportRequest request;
    request.signals = {"like"};
    request.user_id = IdInput(std::uint64_t{1});
    const auto page = node->export_signals(request);
    ASSERT_OK(page);
    EXPECT_TRUE(page->end);
    EXPECT_FALSE(page->signals.empty());
    for (const auto& one : page->signals) {
        EXPECT_EQ(one.signal, "like");
        EXPECT_EQ(one.user_id, EntityId(1));
    }
    const auto all = read_all(node, 1000);
    const UnixMillis middle = all[all.size() / 2].at_ms;
    std::size_t found = 0;
    for (const bool later : {false, true}) {
        ExportRequest half;
        (later ? half.from_ms : half.until_ms) = middle;
        const auto part = node->export_signals(half);
        ASSERT_OK(part);
        for (const auto& one : part->signals) EXPECT_EQ(one.at_ms >= middle, later);
        found += part->signals.size();
    }
    EXPECT_EQ(found, all.size());
    request.signals = {"lik"};
    EXPECT_EQ(node->export_signals(request).error().code(), ErrorCode::kUnknownName);
}

TEST_F(Export, RefusesWhatIsNoPosition) {
    const std::string last = read_all(node, 1000).back().position;
    for (const std::string& position : {std::string("?"), std::string("AAAA"), last + "AAAA",
                                        std::string("AgkCAQE")}) {  // version 2, shard 9
        ExportRequest request;
        request.position = position;
        const auto page = node->export_signals(request);
        ASSERT_FALSE(page.ok()) << position;
        EXPECT_EQ(page.error().code(), ErrorCode::kInvalidArgument);
        EXPECT_EQ(page.error().field(), "position");
    }
}

/// Positions taken while the log still held what is read later from the archive.
TEST(ExportAcrossSegments, EveryPositionGoesOnWhereItStopped) {
    SimNode node({.shards = 1});
    ASSERT_OK(node.open());
    for (std::uint64_t id = 1; id <= 4; ++id) node.put(item(id));
    std::vector<std::pair<std::string, std::size_t>> places;  ///< And how many come before.
    std::multiset<double> expected;
    double weight = 0;
    for (int round = 0; round < 6; ++round) {
        for (int bulk = 0; bulk < 12; ++bulk) {
            std::vector<Write> writes;
            for (int i = 0; i < 20; ++i) {
                SignalWrite write = signal(1 + static_cast<std::uint64_t>(i) % 4, "view");
                write.weight = weight += 1.0 / 1024;
                write.context = std::string(40, 'c');
                expected.insert(write.weight);
                writes.emplace_back(std::move(write));
            }
            for (const auto& reply : node.write(std::move(writes))) ASSERT_OK(reply);
        }
        const auto now = read_all(node, 1000);
        ASSERT_EQ(now.size(), expected.size());
        places.emplace_back(now.back().position, now.size());
        places.emplace_back(now[now.size() - 70].position, now.size() - 69);
        ASSERT_OK(node.checkpoint());
        node.world().advance(30 * kSecondNs);  // Files behind the checkpoint become segments.
        if (round % 2 == 1) ASSERT_OK(node.crash_and_open());
    }
    const auto log = node->stats().log;
    EXPECT_GE(log.archive_segments, 3u);
    EXPECT_LE(log.files, 6u) << "the log before the checkpoints is gone";

    const auto all = read_all(node, 1000);
    std::multiset<double> weights;
    for (const auto& one : all) weights.insert(one.weight);
    EXPECT_EQ(weights, expected);
    for (const auto& [position, before] : places) {
        const auto rest = lines(read_all(node, 33, position));
        const auto whole = lines(all);
        EXPECT_EQ(rest,
                  std::vector(whole.begin() + static_cast<std::ptrdiff_t>(before), whole.end()));
    }
}

TEST(ExportOnce, TwoLinesOfOneKeyAreOneSignal) {
    SimNode node;
    ASSERT_OK(node.open());
    node.put(item(1));
    node.put(item(2));
    const WriteReplies replies =
        node.write({signal(1, "like", "key"), signal(1, "view"), signal(1, "like", "key"),
                    signal(2, "like", "key"), signal(1, "like", "other")});
    ASSERT_EQ(replies.size(), 5u);
    ASSERT_OK(replies[0]);
    ASSERT_OK(replies[2]);
    EXPECT_FALSE(replies[0]->repeated);
    EXPECT_TRUE(replies[2]->repeated);
    EXPECT_EQ(replies[2]->token, replies[0]->token);
    ASSERT_FALSE(replies[3].ok());
    EXPECT_EQ(replies[3].error().code(), ErrorCode::kIdempotencyMismatch);
    ASSERT_OK(replies[4]);
    EXPECT_EQ(lines(read_all(node, 100)).size(), 3u) << "the log holds what happened once";
    EXPECT_EQ(node.count(1, "like"), 2);
    const WriteReply again = node.put(signal(1, "like", "key"));
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.token, replies[0]->token);
}

}  // namespace export_test
}  // namespace tidal::api
