// Users of a simulated cluster: they view, like, dislike, skip, save and hide, take back, follow,
// block, mute, befriend and end all that, open sessions, do the same in them and close them or not,
// speak other languages, which is whose cohort they count in, are told of a few items a day, and
// are erased, through any node, whatever befalls it. What they were told must hold, and once all is
// well everything personal equals a model of the logs (tests/personal_model.h) on every member.
// Where a backup takes the database's place they know again what they knew when it was made.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/tests/personal_model.h"
#include "api/tests/sim_cluster.h"
#include "runtime/seeded_random.h"

namespace tidal::api {

struct PeopleCounts {
    std::uint64_t signals = 0, undos = 0, relationships = 0, acknowledged = 0, pages = 0;
    std::uint64_t sessions = 0, in_sessions = 0, closed = 0, erasures = 0, moves = 0;
    std::uint64_t undos_in_sessions = 0;
    std::uint64_t told = 0, told_none = 0;  ///< Pages under a daily cap; those behind it.
    std::uint64_t models = 0;               ///< Ends with a member whose logs have everything.
    PersonalModel::Sizes compared;
};

class People {
public:
    People(SimCluster& cluster, runtime::SeededRandom& random)
        : cluster_(cluster), random_(random) {}

    /// Their items, cohorts and policy, before anything happens.
    void begin();
    /// For be_told().
    void begin_telling();
    void act(std::uint32_t node);
    /// Once all is well.
    void act_and_wait(std::uint32_t node);
    /// A page of one of them, as new as a strong read.
    void read(std::uint32_t node);
    /// A page that counts what it shows, of a profile that shows each of them but a few a day.
    void be_told(std::uint32_t node);
    /// At rest, of all members.
    void check();

    struct Memory;
    /// What is known now, just before a backup is made.
    std::shared_ptr<Memory> remember() const;
    /// The backup is whole: what was sent since then is in it or is not.
    void doubt_since(Memory* then) const;
    /// That backup is what all go on with. Whoever would still answer is gone.
    void go_back(const Memory& to);

    const std::string& failure() const { return failure_; }
    PeopleCounts counts;

private:
    using Pair = std::pair<std::uint64_t, std::uint64_t>;  ///< A user, and an item or a creator.
    /// As PersonalModel::times() names it.
    struct Sent {
        std::uint64_t user = 0, target = 0;
        std::string what;
        std::string key;            ///< Of a signal.
        std::uint64_t session = 0;  ///< Under which it was sent; 0 = none.
        bool answered = false, acknowledged = false;
        bool refused = false;      ///< With the word that nothing was written.
        bool promises = false;     ///< A hide that nobody ever ends.
        bool may_repeat = false;   ///< One call may be logged many times, as that changes nothing.
        bool undone = false;       ///< By a restore of what it came after, or of another past.
        std::uint64_t life = 0;    ///< How often all went back before it was sent.
        std::uint64_t number = 0;  ///< Among all that were ever sent.
    };
    using Calls = std::vector<std::shared_ptr<Sent>>;
    /// As its client knows it.
    struct Session {
        std::uint64_t id = 0, user = 0;
        std::uint64_t sequence = 0;  ///< Of the last write that was sent.
    };
    using Told =
        std::map<std::pair<std::uint64_t, UnixMillis>, std::uint64_t>;  ///< By user and day.

    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    void fail(const std::string& what) {
        if (failure_.empty()) failure_ = what;
    }
    std::uint64_t any_user();
    std::uint64_t any_item();
    std::shared_ptr<Sent> note(std::uint64_t user, std::uint64_t target, std::string what);
    void write(std::uint32_t node, std::vector<Write> writes, CallContext context, Calls calls);
    void send_signals(std::uint32_t node);
    void undo(std::uint32_t node);
    void relate(std::uint32_t node);
    void begin_cohorts();
    void act_in_session(std::uint32_t node);
    void open_session(std::uint32_t node);
    void send_in_session(std::uint32_t node, Session& session);
    void send_numbered(std::uint32_t node, const SignalWrite& write, std::shared_ptr<Sent> sent);
    void move(std::uint32_t node);
    void erase(std::uint32_t node);
    std::string without_promised(Database& database, std::uint64_t user,
                                 const std::vector<Pair>& hidden);
    void check_calls(const PersonalModel& model);
    std::optional<PersonalModel> model_of_logs();
    bool read_shard(ShardId shard, PersonalModel* model);

    SimCluster& cluster_;
    runtime::SeededRandom& random_;
    Calls calls_;  ///< All that were ever sent: none of any past comes back.
    std::uint64_t sent_ = 0;
    std::vector<std::shared_ptr<Sent>> keyed_;  ///< Signals that may be taken back.
    std::vector<Pair> promised_hides_;          ///< Acknowledged, and nobody ever ends them.
    std::vector<Session> sessions_;             ///< That were answered.
    Told told_;                                 ///< How many items.
    std::uint64_t life_ = 0;
    std::string failure_;
};

struct People::Memory {
    std::vector<Sent> calls;  ///< As `calls_` were, and what was sent while the backup was made.
    std::vector<std::shared_ptr<Sent>> keyed;
    std::vector<Pair> promised_hides;
    std::vector<Session> sessions;
    Told told;
};

}  // namespace tidal::api
