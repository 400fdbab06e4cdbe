#include "raft/durable_state.h"

namespace tidal::raft {

DurableState DurableState::base(LogIndex index, Term term, Configuration configuration) {
    DurableState state;
    state.terms.push_back({index, term});
    state.configurations.push_back({index, std::move(configuration)});
    state.last = state.applied = index;
    return state;
}

Result<void> DurableState::add(const Entry& entry) {
    if (entry.index <= base_index()) return {};
    if (entry.index > last.next())
        return Error(ErrorCode::kCorruption, "entries are missing in a group's log")
            .with("expected", last.next().value())
            .with("found", entry.index.value());
    while (terms.size() > 1 && terms.back().first >= entry.index) terms.pop_back();
    while (configurations.size() > 1 && configurations.back().index >= entry.index)
        configurations.pop_back();
    if (entry.term < terms.back().term)
        return Error(ErrorCode::kCorruption, "a term falls within a group's log")
            .with("index", entry.index.value())
            .with("term", entry.term.value())
            .with("before", terms.back().term.value());
    if (entry.kind == EntryKind::kConfiguration) {
        TIDAL_ASSIGN(auto configuration, decode_configuration(entry.bytes()));
        configurations.push_back({entry.index, std::move(configuration)});
    }
    if (entry.term != terms.back().term) terms.push_back({entry.index, entry.term});
    last = entry.index;
    return {};
}

}  // namespace tidal::raft
