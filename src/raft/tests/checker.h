// tests/checker.h: the promises of Raft, checked at every step of a cluster.
#pragma once

#include <string>

#include "raft/tests/cluster.h"

namespace tidal::raft {

/// The first broken promise is kept in failure(). Source: Raft paper, figure 3, and what the log,
/// reads and flow control promise beside it.
class Checker final : public Observer {
public:
    /// Set before the first call.
    Cluster* cluster = nullptr;

    void on_send(const Message& message) override;
    void on_ready(PeerId id, const Ready& ready) override;
    void on_apply(PeerId id, const Entry& entry, const Machine& machine) override;
    void on_install(PeerId id, const Machine& machine) override;
    void on_read(PeerId id, const ReadState& read) override;
    void on_step(PeerId id) override;

    /// Remembers how far the group had committed when the read was asked for.
    void read_asked(PeerId id, std::uint64_t read);
    void crashed(PeerId id) { commits_.erase(id); }

    LogIndex committed() const { return committed_; }
    std::uint64_t elections() const { return leaders_.size(); }
    std::uint64_t reads() const { return reads_confirmed_; }
    std::uint64_t installs() const { return installs_; }
    /// A hash over all that was checked: the same seed gives the same.
    std::uint64_t trace() const { return trace_; }
    bool ok() const { return failure_.empty(); }
    const std::string& failure() const { return failure_; }

private:
    void fail(PeerId id, const std::string& what);
    void check_brief(PeerId id, const Status& status);
    void check_leader(PeerId id, const Status& status);
    void check_commit(PeerId id, const Status& status);
    void check_chain(PeerId id, const Machine& machine);
    bool durable_on_quorum(const Configuration& configuration, LogIndex index, Term term);

    struct Seen {
        Term before;
        std::uint64_t content = 0;
    };
    std::map<Term, PeerId> leaders_;
    std::map<std::pair<Term, PeerId>, PeerId> votes_;    // (term, voter) -> candidate
    std::map<std::pair<LogIndex, Term>, Seen> entries_;  // log matching
    std::vector<Term> terms_{Term(0)};                   // committed, by index
    std::vector<std::uint64_t> chains_{0};               // applied, by index
    std::map<PeerId, LogIndex> commits_;                 // of this run
    std::map<std::pair<PeerId, std::uint64_t>, LogIndex> asked_;
    LogIndex committed_;
    std::uint64_t reads_confirmed_ = 0, installs_ = 0, trace_ = 0;
    std::string failure_;
};

}  // namespace tidal::raft
