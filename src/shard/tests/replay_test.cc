// The same log gives the same state and the same answers, in batches of any size and restarted at
// any point.
#include <map>

#include "shard/tests/random_log.h"
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace replay_test {

constexpr std::uint64_t kLogs = 200;
constexpr std::size_t kRecords = 160;

struct Ran {
    std::vector<std::string> outcomes;
    std::uint64_t hash = 0;
};

/// Small budgets, so that pairs go cold and keys go early; the same for all runs.
ShardState::Options small_budgets() {
    return {.shard = kHere,
            .ledger_bytes_max = 2048,
            .memory = {.tastes = 3000, .co_engagement = 1000, .cohorts = 800},
            .idempotency_bytes_max = 4000};
}

Ran run_at_once(const std::vector<record::Record>& log) {
    StateLives lives(small_budgets());
    Ran ran;
    for (const Outcome& outcome : lives.apply(log)) ran.outcomes.push_back(to_text(outcome));
    ran.hash = must(lives.state().content_hash());
    return ran;
}

/// Random batches; checkpoints that begin at one batch and end some batches later; restarts.
Ran run_disturbed(const std::vector<record::Record>& log, runtime::Random& random) {
    StateLives lives(small_budgets());
    Ran ran;
    ran.outcomes.resize(log.size());
    bool checkpointing = false;
    const std::uint64_t batch_max = 1 + random.below(40);
    while (lives.state().applied().value() < log.size()) {
        const auto at = static_cast<std::size_t>(lives.state().applied().value());
        const std::size_t count =
            std::min<std::size_t>(1 + random.below(batch_max), log.size() - at);
        const auto outcomes = lives.apply(std::span(log).subspan(at, count));
        for (std::size_t i = 0; i < count; ++i) {
            const std::string text = to_text(outcomes[i]);
            // A record that is applied again in a later life gets the same answer again.
            if (!ran.outcomes[at + i].empty()) {
                EXPECT_EQ(ran.outcomes[at + i], text) << at + i;
            }
            ran.outcomes[at + i] = text;
        }
        if (random.below(3) == 0) must(lives.state().settle());
        if (random.below(6) == 0 && !checkpointing) {
            must(lives.state().settle());
            lives.begin_checkpoint();
            checkpointing = true;
        } else if (random.below(3) == 0 && checkpointing) {
            lives.state().write_frozen_rows(1 + random.below(1'000));
        } else if (random.below(3) == 0 && checkpointing) {
            lives.end_checkpoint();
            checkpointing = false;
        }
        if (random.below(9) == 0) {
            lives.reopen();
            checkpointing = false;
        }
    }
    ran.hash = must(lives.state().content_hash());
    return ran;
}

TEST(Replay, BatchesAndRestartsChangeNothing) {
    std::map<std::string, int> seen;  // what the logs exercised
    std::map<std::size_t, int> accepted;
    for (std::uint64_t seed = 1; seed <= kLogs; ++seed) {
        const auto log = RandomLog(seed).make(kRecords);
        const Ran expected = run_at_once(log);
        runtime::SeededRandom random(seed);
        for (int run = 0; run < 2; ++run) {
            const Ran ran = run_disturbed(log, random);
            ASSERT_EQ(ran.outcomes, expected.outcomes) << "seed " << seed;
            ASSERT_EQ(ran.hash, expected.hash) << "seed " << seed;
        }
        for (std::size_t i = 0; i < log.size(); ++i) {
            must(record::check_record(log[i]));
            const std::string& text = expected.outcomes[i];
            ++seen[text.substr(0, text.find(','))];
            if (text.starts_with("accepted")) ++accepted[log[i].body.index()];
        }
    }
    for (std::size_t kind = 0; kind < std::variant_size_v<record::Body>; ++kind)
        EXPECT_GT(accepted[kind], 50) << "records of kind " << kind;
    EXPECT_GT(seen["accepted"], 8'000);
    EXPECT_GT(seen["repeated"], 300);
    int refused = 0;
    for (const auto& [text, count] : seen) refused += text.starts_with("refused") ? count : 0;
    EXPECT_GT(refused, 1'500);
}

/// One more of a weight, in one signal among all, whose item may be gone by the end.
bool some_signal_reaches_the_hash(std::vector<record::Record> log) {
    const std::uint64_t hash = run_at_once(log).hash;
    for (auto record = log.rbegin(); record != log.rend(); ++record) {
        auto* signal = std::get_if<record::SignalBody>(&record->body);
        if (signal == nullptr || !record->envelope.idempotency_key.empty()) continue;
        signal->weight += 1;
        if (run_at_once(log).hash != hash) return true;
        signal->weight -= 1;
    }
    return false;
}

TEST(Replay, AnotherLogHasAnotherHash) {
    int reached = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const auto log = RandomLog(seed).make(kRecords);
        auto longer = log;
        longer.push_back(log.back());
        longer.back().envelope.index = LogIndex(log.size() + 1);
        EXPECT_NE(run_at_once(longer).hash, run_at_once(log).hash);
        reached += some_signal_reaches_the_hash(log) ? 1 : 0;
    }
    EXPECT_GT(reached, 15);
}

}  // namespace replay_test
}  // namespace tidal::shard
