// A store that dies at any disk operation comes back as exactly its newest durable checkpoint: the
// last acknowledged one, or the one under way, whole.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "runtime/seeded_random.h"
#include "storage/tests/store_fixture.h"

namespace tidal::storage {
namespace crash_test {

using runtime::CrashSpec;
using runtime::SeededRandom;
using runtime::SimDisk;

/// Random changes and checkpoints of one store, with what it should hold at each moment.
class Driver {
public:
    Driver(SimDisk& medium, std::uint64_t seed) : medium_(medium), random_(seed) {}

    /// Whether a crash now may leave this: the newest durable checkpoint, or one that was refused
    /// half-way since.
    bool may_hold(const Model& found) const {
        return found == durable_ ||
               std::find(in_doubt_.begin(), in_doubt_.end(), found) != in_doubt_.end();
    }

    /// False when the disk refused or died. Everything durable is checked on the way.
    bool open() {
        life_ = Life();
        auto opened = Life::open(medium_);
        if (!opened.ok()) {
            EXPECT_NE(opened.error().code(), ErrorCode::kCorruption) << opened.error().to_string();
            return false;
        }
        life_ = std::move(opened).value();
        adopt(contents_of(*life_.store));
        return true;
    }

    bool run(int steps) {
        for (int i = 0; i < steps; ++i) {
            if (random_.below(6) == 0) {
                if (!checkpoint_step()) return false;
            } else {
                change();
            }
        }
        return true;
    }

    void adopt(Model found) {
        EXPECT_TRUE(may_hold(found)) << "found index " << found.index.value() << ", durable "
                                     << durable_.index.value() << ", in doubt " << in_doubt_.size();
        now_ = durable_ = std::move(found);
        in_doubt_.clear();
    }

private:
    void change() {
        auto& store = *life_.store;
        const std::string key = std::to_string(random_.below(20));
        switch (random_.below(6)) {
            case 0:
                store.erase(key);
                now_.rows.erase(key);
                break;
            case 1:
            case 2: {
                const std::string value(random_.below(40) * random_.below(40),
                                        static_cast<char>('a' + random_.below(26)));
                store.put(key, value);
                now_.rows[key] = value;
                break;
            }
            case 3: {
                if (now_.pages.size() > 8) break;
                const PageId page = must(store.pages().allocate());
                now_.pages[page.value()] = 0;
                break;
            }
            case 4:
                if (auto page = pick_page(); page && random_.below(2) == 0) {
                    store.pages().free(*page);
                    now_.pages.erase(page->value());
                }
                break;
            default:
                if (auto page = pick_page()) {
                    const std::uint64_t value = random_.u64();
                    fill(store.pages(), *page, value);
                    now_.pages[page->value()] = value;
                }
        }
    }

    std::optional<PageId> pick_page() {
        if (now_.pages.empty()) return std::nullopt;
        auto it = now_.pages.begin();
        std::advance(it, random_.below(now_.pages.size()));
        return PageId(it->first);
    }

    bool checkpoint_step() {
        auto& store = *life_.store;
        now_.index = now_.index.next();
        const Model cut = now_;
        store.begin_checkpoint(cut.index);
        for (int i = 0; i < 4; ++i) change();
        while (!store.copy_out(2)) change();
        for (int i = 0; i < 2; ++i) change();
        const auto written = store.write_checkpoint();
        if (!written.ok()) in_doubt_.push_back(cut);
        if (!written.ok() && medium_.dead()) return false;
        for (int i = 0; i < 2; ++i) change();
        store.finish_checkpoint(written.ok());
        if (written.ok()) {
            durable_ = cut;
            in_doubt_.clear();
        }
        check_reads();
        return true;
    }

    void check_reads() {
        Model found = contents_of(*life_.store);
        found.index = now_.index;
        EXPECT_EQ(found.rows, now_.rows);
        EXPECT_EQ(found.pages, now_.pages);
    }

    SimDisk& medium_;
    SeededRandom random_;
    Life life_;
    Model now_, durable_;
    std::vector<Model> in_doubt_;
};

std::vector<CrashSpec> ends(const SimDisk& medium) {
    using Keep = CrashSpec::Keep;
    std::vector<CrashSpec> specs{{.keep = Keep::kNothing}, {.keep = Keep::kAll}};
    for (std::uint64_t seed = 1; seed <= 3; ++seed)
        specs.push_back({.keep = Keep::kSeeded, .seed = seed});
    const std::uint64_t sectors = medium.unsynced_sectors();
    for (std::uint64_t kept = 1; kept < sectors; kept += 1 + sectors / 4)
        specs.push_back({.keep = Keep::kPrefix, .sectors = kept});
    return specs;
}

/// Reopens what a crash left, dying in each operation of the recovery as well.
void check_recovery(std::unique_ptr<SimDisk> left, const Driver& before) {
    for (std::uint64_t fatal = 1;; ++fatal) {
        left->set_crash_after(fatal);
        auto life = Life::open(*left);
        if (life.ok()) {
            EXPECT_TRUE(before.may_hold(contents_of(*life->store)));
            return;
        }
        ASSERT_TRUE(left->dead()) << life.error().to_string();
        left->crash({.keep = CrashSpec::Keep::kSeeded, .seed = fatal});
    }
}

TEST(StoreCrash, EveryOperationOfATraceIsSurvived) {
    constexpr int kSteps = 60;
    std::uint64_t ends_checked = 0;
    for (std::uint64_t fatal = 1;; ++fatal) {
        SCOPED_TRACE(testing::Message() << "dies in operation " << fatal);
        SimDisk medium({.seed = fatal});
        medium.set_crash_after(fatal);
        Driver driver(medium, 7);
        if (driver.open() && driver.run(kSteps)) break;
        for (const CrashSpec& spec : ends(medium)) {
            ASSERT_NO_FATAL_FAILURE(check_recovery(medium.survivor(spec), driver));
            ++ends_checked;
            if (testing::Test::HasFailure()) return;
        }
    }
    EXPECT_GT(ends_checked, 500u);
}

RC_GTEST_PROP(StoreCrashProperty, LivesWithFaultsAndCrashesEndInADurableCheckpoint, ()) {
    SeededRandom random(*rc::gen::arbitrary<std::uint64_t>());
    SimDisk medium({.seed = random.u64()});
    Driver driver(medium, random.u64());
    for (int life = 0; life < 6; ++life) {
        if (random.below(3) != 0) medium.set_crash_after(1 + random.below(120));
        if (random.below(3) == 0)
            medium.add_fault(
                {.nth = 1 + random.below(60),
                 .times = 1 + random.below(4),
                 .code = random.below(2) == 0 ? ErrorCode::kDiskFull : ErrorCode::kIo});
        if (driver.open()) driver.run(static_cast<int>(random.below(80)));
        medium.clear_faults();
        medium.crash({.keep = CrashSpec::Keep::kSeeded, .seed = random.u64()});
        RC_ASSERT(driver.open());
        RC_ASSERT(!testing::Test::HasFailure());
    }
}

}  // namespace crash_test
}  // namespace tidal::storage
