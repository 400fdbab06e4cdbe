#include "api/tests/sim/restores.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "api/backups.h"
#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace {

constexpr int kSteps = 260;
constexpr int kActsAtLast = 4;
constexpr std::size_t kKeptMax = 4;
/// So large that nothing goes to the archive, which keeps no rows of tastes.
constexpr std::uint64_t kLogFileBytes = 4 << 20;

class Restores {
public:
    explicit Restores(std::uint64_t seed)
        : vault_({.seed = seed, .sync_ns = 200'000}),
          cluster_(seed, 3, 200),
          random_(seed),
          people_(cluster_, random_) {
        cluster_.options().slice_records = 1 + below(4);
        cluster_.options().log.file_bytes = kLogFileBytes;
    }

    RestoresResult run() {
        cluster_.make_alone(number_);
        open();
        people_.begin();
        people_.begin_telling();
        for (int step = 0; step < kSteps && good(); ++step) {
            cluster_.world().advance(below(below(10) == 0 ? 600 : 60) * kMsNs);
            go_on();
            if (good()) act();
        }
        if (good()) settle();
        fail(people_.failure());
        result_.failure = failure_;
        result_.people = people_.counts;
        result_.virtual_ns = cluster_.world().now_ns();
        result_.trace = final_hash();
        return result_;
    }

private:
    struct Made {
        std::string name;
        std::shared_ptr<People::Memory> memory;
        std::uint64_t life = 0;  ///< Of the database: how often it was restored before.
    };

    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    bool good() const { return failure_.empty() && !::testing::Test::HasFatalFailure(); }
    void fail(const std::string& what) {
        if (failure_.empty()) failure_ = what;
    }
    SimCluster::Member& machine() { return cluster_.node(number_); }

    void act() {
        const std::uint64_t dice = below(1000);
        if (dice < 600) return people_.act(number_);
        if (dice < 650) return people_.read(number_);
        if (dice < 730) return people_.be_told(number_);
        if (dice < 780) {
            ++result_.checkpoints;
            if (send_effects()) machine()->checkpoint([](Result<void>) {});
            return;
        }
        if (dice < 870) return befall();
        if (dice < 965) return back_up();
        restore();
    }

    /// Most of the time some are then on their way between shards. False = the machine died of it.
    bool send_effects() {
        for (std::uint64_t acts = below(4); acts > 0; --acts) people_.act(number_);
        cluster_.world().advance(below(30) * kMsNs / 20);
        return machine().alive();
    }

    // --- the machine ----------------------------------------------------------------------------

    void open() {
        cluster_.open(machine());
        if (!machine().alive()) return fail("it does not open");
        backups_ = std::make_shared<Backups>(*machine(), *machine().runtime, vault_);
        const auto opened = backups_->open();
        if (!opened.ok()) fail("no backups: " + opened.error().to_string());
    }
    /// What was not synced is lost or not, on the disk of the backups too.
    void die() {
        ++result_.deaths;
        backups_.reset();
        cluster_.kill(number_, {.keep = runtime::CrashSpec::Keep::kSeeded, .seed = below(1000)});
        vault_.crash({.keep = runtime::CrashSpec::Keep::kSeeded, .seed = below(1000)});
        machine().disk->clear_faults();
    }
    /// It may have died by itself.
    void go_on() {
        if (machine().runtime && machine().runtime->crashed()) {
            const auto& fatal = machine().runtime->fatal_error();
            if (fatal && fatal->code() != ErrorCode::kIo) fail("it gave up: " + fatal->to_string());
            die();
        }
        if (!machine().alive()) open();
        if (good()) look_after_backup();
        fail(people_.failure());
    }
    void befall() {
        runtime::SimRuntime& runtime = *machine().runtime;
        switch (below(4)) {
            case 0:
                return die();
            case 1:
                return machine().disk->set_crash_after(1 + below(80));
            case 2:
                ++result_.failed_syncs;
                return machine().disk->add_fault(
                    {.op = runtime::DiskOp::kSync, .path_contains = "wal", .nth = 1 + below(8)});
            default:
                break;
        }
        ++result_.stalls;
        const std::string_view executor = below(2) == 0 ? "wal" : "background";
        runtime.pause(below(500) * kMsNs, executor);
    }

    // --- backups --------------------------------------------------------------------------------

    void back_up() {
        if (making_ || !send_effects()) return;
        const std::string name = "b" + std::to_string(++names_);
        auto memory = people_.remember();
        const auto begun = backups_->create(name);
        if (!begun.ok()) return fail("no backup: " + begun.error().to_string());
        making_ = Made{name, std::move(memory), result_.restores};
    }
    void look_after_backup() {
        if (!making_) return;
        const auto found = backups_->find(making_->name);
        if (found.ok() && found->state == BackupReport::State::kRunning) return;
        if (found.ok() && found->state == BackupReport::State::kDone) {
            ++result_.backups;
            people_.doubt_since(making_->memory.get());
            kept_.push_back(std::move(*making_));
        } else {
            ++result_.backups_failed;
        }
        making_.reset();
        if (kept_.size() <= kKeptMax) return;
        const auto at = kept_.begin() + static_cast<std::ptrdiff_t>(below(kept_.size()));
        const auto removed = backups_->remove(at->name);
        if (!removed.ok()) fail("not removed: " + removed.error().to_string());
        kept_.erase(at);
    }

    void restore() {
        if (kept_.empty()) return;
        const Made from = kept_[below(kept_.size())];
        result_.other_pasts += from.life < result_.restores ? 1 : 0;
        die();
        making_.reset();
        do {
            cluster_.remove(number_++);
            cluster_.make_alone(number_);
        } while (good() && !put_back(from));
        ++result_.restores;
        people_.go_back(*from.memory);
        if (!good()) return;
        open();
        if (good()) compare();
    }
    /// Where the power goes meanwhile it is no database, or all of one.
    bool put_back(const Made& from) {
        runtime::SimDisk& disk = *machine().disk;
        runtime::SeededRandom random(below(1'000'000));
        const bool cut = below(3) == 0;
        if (cut) disk.set_crash_after(1 + below(60));
        const auto restored = restore_backup(vault_, from.name, disk, random);
        if (!restored.ok() && !disk.dead()) {
            fail("not restored: " + restored.error().to_string());
            return false;
        }
        if (!cut) return true;
        cluster_.kill(number_, {.keep = runtime::CrashSpec::Keep::kSeeded, .seed = below(1000)});
        const auto whole = disk.exists("NODE");
        if (whole.ok() && *whole) return true;
        if (restored.ok()) fail("a restored directory is gone with the power");
        ++result_.restores_cut;
        return false;
    }
    /// More often than not before anything else happens.
    void compare() {
        for (const auto& shard : machine()->stats().shards)
            if (shard.outbox_rows > 0) {
                ++result_.under_way;
                break;
            }
        if (below(4) > 0) check();
    }

    // --- the end --------------------------------------------------------------------------------

    void check() {
        const bool rests = cluster_.until([&] {
            for (const auto& shard : machine()->stats().shards)
                if (shard.outbox_rows > 0 || shard.applied != shard.proposed) return false;
            return true;
        });
        if (!rests) return fail("it does not come to rest");
        people_.check();
        fail(people_.failure());
    }
    void settle() {
        machine().disk->clear_faults();
        machine().disk->set_crash_after(0);
        go_on();
        for (int i = 0; i < kActsAtLast && good(); ++i) people_.act_and_wait(number_);
        if (good()) check();
    }
    std::uint64_t final_hash() {
        runtime::TraceHash hash;
        hash.add(cluster_.world().now_ns());
        hash.add(cluster_.world().steps());
        hash.add(result_.restores);
        if (!machine().alive()) return hash.value();
        if (const auto contents = machine()->content_hashes(); contents.ok())
            for (const std::uint64_t each : *contents) hash.add(each);
        return hash.value();
    }

    runtime::SimDisk vault_;  ///< Of the backups.
    SimCluster cluster_;      ///< Of one at a time, which is no member of any.
    runtime::SeededRandom random_;
    People people_;
    std::shared_ptr<Backups> backups_;
    std::optional<Made> making_;
    std::vector<Made> kept_;
    std::uint32_t number_ = 1;  ///< Of the machine. People begin at the first.
    std::uint64_t names_ = 0;
    RestoresResult result_;
    std::string failure_;
};

}  // namespace

RestoresResult run_restores(std::uint64_t seed) {
    // What SimCluster says through gtest is a failure of the seed, not yet of the test.
    ::testing::TestPartResultArray said;
    RestoresResult result;
    {
        const ::testing::ScopedFakeTestPartResultReporter listener(
            ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &said);
        result = Restores(seed).run();
    }
    for (int i = 0; i < said.size(); ++i)
        if (said.GetTestPartResult(i).failed())
            result.failure += std::string(result.failure.empty() ? "" : "\n") +
                              said.GetTestPartResult(i).message();
    return result;
}

}  // namespace tidal::api
