#include "raft/internal/log.h"

#include <algorithm>
#include <cassert>

namespace tidal::raft {

Log::Log(const DurableState& state, LogStore& store, std::size_t cache_bytes_max)
    : store_(store),
      cache_bytes_max_(cache_bytes_max),
      terms_(state.terms),
      last_(state.last),
      handed_(state.last),
      durable_(state.last) {}

Term Log::term_at(LogIndex index) const {
    assert(index >= base() && index <= last_);
    auto run = terms_.end() - 1;
    while (run->first > index) --run;
    return run->term;
}

LogIndex Log::last_not_above(LogIndex index, Term term) const {
    index = std::min(index, last_);
    for (auto run = terms_.end(); run != terms_.begin();) {
        --run;
        if (run->first > index) continue;
        if (run->term <= term) return index;
        index = run == terms_.begin() ? run->first : previous(run->first);
    }
    return base();
}

void Log::append(Entry entry) {
    assert(entry.index == last_.next());
    assert(entry.term >= last_term());
    if (entry.term != last_term()) terms_.push_back({entry.index, entry.term});
    last_ = entry.index;
    cache_bytes_ += entry.cost();
    cache_.push_back(std::move(entry));
}

void Log::truncate_from(LogIndex index) {
    assert(index > base() && index <= last_);
    while (!cache_.empty() && cache_.back().index >= index) {
        cache_bytes_ -= cache_.back().cost();
        cache_.pop_back();
    }
    while (terms_.size() > 1 && terms_.back().first >= index) terms_.pop_back();
    last_ = previous(index);
    handed_ = std::min(handed_, last_);
    durable_ = std::min(durable_, last_);
    // A write that is under way holds the old entries: it makes nothing of the new ones durable.
    for (Write& write : writes_) write.last = std::min(write.last, last_);
}

Result<std::vector<Entry>> Log::slice(LogIndex from, LogIndex last, std::size_t bytes_max) const {
    assert(from > base() && last <= last_);
    std::vector<Entry> out;
    if (from > last) return out;
    if (cache_.empty() || from < cache_.front().index) {
        if (!cache_.empty()) last = std::min(last, previous(cache_.front().index));
        auto read = store_.read(from, last, bytes_max);
        if (read.ok()) {
            assert(!read->empty() && read->front().index == from && read->back().index <= last);
        }
        return read;
    }
    const auto begin =
        cache_.begin() + static_cast<std::ptrdiff_t>(distance(cache_.front().index, from));
    auto end = begin;
    for (std::size_t bytes = 0; end != cache_.end() && end->index <= last; ++end) {
        bytes += end->cost();
        if (bytes > bytes_max && end != begin) break;
    }
    out.assign(begin, end);
    return out;
}

std::size_t Log::cost_at(LogIndex index) const {
    if (cache_.empty() || index < cache_.front().index || index > last_) return 0;
    return cache_[distance(cache_.front().index, index)].cost();
}

std::vector<Entry> Log::take_unwritten(std::uint64_t number) {
    std::vector<Entry> out;
    if (handed_ == last_) return out;
    assert(!cache_.empty() && cache_.front().index <= handed_.next());
    out.assign(cache_.begin() +
                   static_cast<std::ptrdiff_t>(distance(cache_.front().index, handed_.next())),
               cache_.end());
    handed_ = last_;
    writes_.push_back({number, last_});
    return out;
}

void Log::persisted(std::uint64_t number) {
    while (!writes_.empty() && writes_.front().number <= number) {
        durable_ = std::max(durable_, writes_.front().last);
        writes_.pop_front();
    }
}

void Log::evict(LogIndex index) {
    index = std::min(index, durable_);
    while (cache_bytes_ > cache_bytes_max_ && !cache_.empty() && cache_.front().index <= index) {
        cache_bytes_ -= cache_.front().cost();
        cache_.pop_front();
    }
}

void Log::compact(LogIndex index) {
    if (index <= base()) return;
    assert(index <= durable_);
    const Term term = term_at(index);
    while (terms_.size() > 1 && terms_[1].first <= index) terms_.erase(terms_.begin());
    terms_.front() = {index, term};
    while (!cache_.empty() && cache_.front().index <= index) {
        cache_bytes_ -= cache_.front().cost();
        cache_.pop_front();
    }
}

void Log::reset(LogIndex index, Term term) {
    terms_ = {{index, term}};
    cache_.clear();
    cache_bytes_ = 0;
    writes_.clear();
    last_ = handed_ = durable_ = index;
}

}  // namespace tidal::raft
