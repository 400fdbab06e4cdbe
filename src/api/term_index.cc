#include "api/internal/term_index.h"

#include <algorithm>
#include <limits>

#include "cluster/group_batches.h"

namespace tidal::api {
namespace {

constexpr Term kNobodyKnows{std::numeric_limits<Term::number_type>::max()};

}  // namespace

/// A snapshot took the place of whatever else this replica had written: how much of its last term
/// was committed is not known here (other replicas have it).
void TermIndex::forget_last(LogIndex before) {
    if (!runs_.empty() && runs_.back().first < before) runs_.back().term = kNobodyKnows;
}

void TermIndex::add(const wal::BatchHeader& header) {
    while (!runs_.empty() && runs_.back().first >= header.first_index) runs_.pop_back();
    if (runs_.empty() || runs_.back().term != header.term)
        runs_.push_back({header.first_index, header.term});
}

Result<void> TermIndex::read_up_to(wal::NodeLog& log, LogIndex applied) {
    if (applied <= known_) return {};
    // From the last run on, whole: what lies behind may have replaced a part of it.
    const LogIndex from = runs_.empty() ? LogIndex(1) : runs_.back().first;
    TIDAL_TRY(
        log.read({.shard = shard_, .from = from, .open_sealed = false},
                 [&](const wal::BatchHeader& header, std::string_view payload) -> Result<void> {
                     if (header.first_index > applied) return {};
                     if (header.control()) {
                         TIDAL_ASSIGN(const auto batch, cluster::group_batch_of(header, payload));
                         if (batch.base) {
                             forget_last(header.first_index);
                             missing_through_ = std::max(missing_through_, header.first_index);
                         }
                     }
                     add(header);
                     return {};
                 }));
    known_ = applied;
    return {};
}

bool TermIndex::is_history(LogIndex index, Term term) const {
    const auto behind = std::ranges::upper_bound(runs_, index, {}, &Run::first);
    return behind != runs_.begin() && std::prev(behind)->term == term;
}

}  // namespace tidal::api
