// raft/internal/log.h: the group's log as the core sees it: terms of everything, entries of the
// end.
#pragma once

#include <deque>

#include "raft/durable_state.h"
#include "raft/log_store.h"

namespace tidal::raft {

/// Terms are kept for the whole log as runs, one per change of leader, so that a term never has to
/// be read from disk. Entries are kept until durable, handed out for applying and beyond
/// `cache_bytes_max`.
class Log {
public:
    Log(const DurableState& state, LogStore& store, std::size_t cache_bytes_max);

    LogIndex base() const { return terms_.front().first; }
    LogIndex first() const { return base().next(); }
    LogIndex last() const { return last_; }
    Term last_term() const { return terms_.back().term; }
    LogIndex durable() const { return durable_; }
    std::size_t cache_bytes() const { return cache_bytes_; }

    /// base() <= index <= last().
    Term term_at(LogIndex index) const;
    bool matches(LogIndex index, Term term) const {
        return index >= base() && index <= last_ && term_at(index) == term;
    }
    /// The greatest index <= `index` whose term is <= `term`; base() if there is none.
    LogIndex last_not_above(LogIndex index, Term term) const;
    /// 3.6.1: is a log that ends like this at least as complete as ours?
    bool up_to_date(LogIndex index, Term term) const {
        return term > last_term() || (term == last_term() && index >= last_);
    }

    /// At last() + 1, of a term not below the last.
    void append(Entry entry);
    /// Everything from `index` on goes; what is being written there no longer counts.
    void truncate_from(LogIndex index);

    /// from .. last or fewer: whole entries up to `bytes_max`, at least one.
    Result<std::vector<Entry>> slice(LogIndex from, LogIndex last, std::size_t bytes_max) const;
    /// Of an entry that is in memory; 0 otherwise.
    std::size_t cost_at(LogIndex index) const;

    bool has_unwritten() const { return handed_ < last_; }
    /// Entries nobody was asked to write yet; they are written with Ready `number`.
    std::vector<Entry> take_unwritten(std::uint64_t number);
    void persisted(std::uint64_t number);

    /// Memory of entries up to `index` may be given back.
    void evict(LogIndex index);
    void compact(LogIndex index);
    /// Only the base is left.
    void reset(LogIndex index, Term term);

private:
    struct Write {
        std::uint64_t number;
        LogIndex last;
    };

    LogStore& store_;
    const std::size_t cache_bytes_max_;
    std::vector<TermRun> terms_;  // front() is the base
    std::deque<Entry> cache_;     // ends at last_
    std::size_t cache_bytes_ = 0;
    LogIndex last_;
    LogIndex handed_;   // up to here somebody was asked to write
    LogIndex durable_;  // <= handed_
    std::deque<Write> writes_;
};

}  // namespace tidal::raft
