// A shard's records as they count: those of the log and the archive that have been applied, in
// order.
#include <set>

#include "api/database.h"
#include "api/internal/planted.h"
#include "api/internal/term_index.h"
#include "shard/batch_records.h"

namespace tidal::api {

/// Final up to `applied`. Not freed before the database is.
Result<const TermIndex*> Database::terms_of(ShardId shard, LogIndex applied) {
    auto& terms = terms_[shard];
    if (terms == nullptr) terms = std::make_unique<TermIndex>(shard);
    TIDAL_TRY(terms->read_up_to(*log_, applied));
    return terms.get();
}

/// @param from  By data shard: what is asked for begins here.
Result<void> Database::check_whole(const std::vector<LogIndex>& from) {
    for (std::size_t at = 0; at < from.size(); ++at) {
        const ShardId id(static_cast<std::uint16_t>(at + 1));
        const LogIndex applied =
            shard(id).with_state([](shard::ShardState& state) { return state.applied(); });
        TIDAL_ASSIGN(const TermIndex* terms, terms_of(id, applied));
        if (terms->missing_through() < from[at]) continue;
        return Error(ErrorCode::kConflict, "a snapshot brought this node to entry " +
                                               std::to_string(terms->missing_through().value()) +
                                               " of a shard, and its log lacks signals before that")
            .with_reason("history_incomplete")
            .with("shard", id.value())
            .with_hint("export from a node that was there, or with gaps=on what is here");
    }
    return {};
}

/// @param visit  False = no more.
/// @return       Whether the log was read to what is applied.
Result<bool> Database::visit_history(ShardId id, LogIndex from,
                                     absl::FunctionRef<bool(const record::Record&)> visit) {
    // Records past this point may still be refused (a full disk): only applied ones are exported.
    const LogIndex applied =
        shard(id).with_state([](shard::ShardState& state) { return state.applied(); });
    const TermIndex* terms = nullptr;
    if (cluster_ != nullptr) {
        TIDAL_ASSIGN(terms, terms_of(id, applied));
    }
    LogIndex next = from;
    bool enough = false;
    const auto read = log_->read(
        id, from, [&](const wal::BatchHeader& header, std::string_view payload) -> Result<void> {
            // A batch behind a gap was refused to its client; one before the position is done. Of
            // one that is being applied (decision 55) what is applied counts already.
            if (header.last_index() < next || header.control()) return {};
            if (header.first_index > applied) return {};
            return shard::visit_records(
                header, payload, [&](const record::Record& record) -> Result<void> {
                    const LogIndex index = record.envelope.index;
                    if (index < next || index > applied) return {};
                    if (terms != nullptr && !terms->is_history(index, header.term) &&
                        !planted(Bug::kExportInVain))
                        return {};
                    enough = !visit(record);
                    if (enough) return Error(ErrorCode::kGone, "enough");  // ends the read
                    next = index.next();
                    return {};
                });
        });
    if (!read.ok() && !enough) return Error(read.error());
    return !enough;
}

/// What was committed up to their erasure is no longer theirs.
/// @param users  Those asked about.
std::map<EntityId, HybridTime> Database::erasures_of(const std::set<EntityId>& users) {
    std::map<EntityId, HybridTime> out;
    for (const EntityId& user : users) {
        const ShardId home = shard_of(record::vshard_of(kDefaultTenant, EntityKind::kUser, user));
        const HybridTime erased = shard(home).with_state([&](shard::ShardState& state) {
            const audience::Taste* const taste = state.tastes().find(user);
            return taste == nullptr ? HybridTime() : taste->erased();
        });
        if (erased != HybridTime()) out.emplace(user, erased);
    }
    return out;
}

}  // namespace tidal::api
