// Writes: resolve against the schema, group by shard, commit, answer each line.
#include <algorithm>
#include <atomic>
#include <map>

#include "api/database.h"
#include "api/dynamic_fields.h"
#include "api/internal/cluster_node.h"
#include "api/internal/write_join.h"
#include "api/internal/write_memory.h"
#include "api/resolve.h"
#include "api/token.h"

namespace tidal::api {

namespace {

constexpr std::size_t kIdempotencyKeyBytesMax = 255;
constexpr std::uint64_t kSchemaRetryNs = 5'000'000;
constexpr std::uint64_t kCatchUpMs = 2'000;

std::string line_key(const CallContext& context, const std::string& own, std::size_t line) {
    if (!own.empty() || context.idempotency_key.empty()) return own;
    if (!context.first_line) return context.idempotency_key;
    return context.idempotency_key + "#" + std::to_string(*context.first_line + line);
}

Result<void> check_key(const std::string& key) {
    if (key.size() <= kIdempotencyKeyBytesMax) return {};
    return Error(ErrorCode::kInvalidArgument, "the idempotency key is longer than 255 bytes")
        .with_field("Idempotency-Key");
}

bool name_collections(const std::vector<Write>& writes) {
    return std::ranges::any_of(writes, [](const Write& write) {
        return std::holds_alternative<CollectionMemberWrite>(write);
    });
}

/// What of the concern was reached: on one node a majority and all are the node itself.
shard::WriteConcern level_reached(const shard::Outcome& outcome, const shard::WriteConcern& asked,
                                  bool clustered) {
    if (asked == shard::WriteConcern::kMemory) return asked;
    if (!clustered || outcome.promised) return shard::WriteConcern::kLocal;
    return asked == shard::WriteConcern::kLocal ? shard::WriteConcern::kMajority : asked;
}

/// Where a signal of a session goes on to from its user's shard, what it does there goes on in
/// turn: whatever that shard has under way once it is there.
std::vector<shard::StreamPosition> streams_of(const shard::Outcome& outcome, ShardId shard,
                                              ShardId on_to) {
    auto streams = outcome.relayed;
    if (on_to == ShardId(0)) return streams;
    if (outcome.repeated) streams.push_back(shard::StreamPosition::all_of(shard, Incarnation(1)));
    if (on_to == shard) return streams;
    streams.push_back(shard::StreamPosition::all_of(on_to, Incarnation(1)));
    return streams;
}

Error not_hidden_yet(ErrorCode code) {
    return Error(code, "the session has the signal, the shard of the item has yet to hear of it")
        .with_hint("send it again with the same sequence; until then pages may show the item");
}

/// What a record sent to other shards; of one that was accepted before, all that is under way.
void add_rows(const shard::Outcome& outcome, ShardId shard, Token* token) {
    if (token->applied.empty()) token->applied.emplace_back(shard, outcome.index);
    LogIndex& index = token->applied.front().second;
    index = std::max(index, outcome.index);
    if (outcome.repeated)
        token->streams.push_back(shard::StreamPosition::all_of(shard, Incarnation(1)));
    else
        token->streams.insert(token->streams.end(), outcome.relayed.begin(), outcome.relayed.end());
}

WriteReply write_reply(const shard::Outcome& outcome, ShardId shard, ShardId on_to,
                       const shard::WriteConcern& asked, bool clustered, bool ephemeral) {
    WriteReply reply;
    reply.repeated = outcome.repeated;
    if (outcome.index.value() == 0) return reply;  // a row that an import wrote before
    reply.token = encode_token({{{shard, outcome.index}}, streams_of(outcome, shard, on_to)});
    reply.durable = level_reached(outcome, asked, clustered);
    const bool in_memory = asked == shard::WriteConcern::kMemory;
    reply.may_be_lost = (in_memory && !ephemeral) || outcome.promised;
    reply.replicas = in_memory ? 0 : std::max<std::uint32_t>(outcome.replicas, 1);
    reply.created = outcome.created;
    reply.version = outcome.version;
    return reply;
}

}  // namespace

shard::WriteConcern Database::concern_of(const CallContext& context) const {
    if (context.write_concern) return *context.write_concern;
    if (cluster_ != nullptr) return shard::WriteConcern::kMajority;
    return options_.ephemeral ? shard::WriteConcern::kMemory : shard::WriteConcern::kLocal;
}

void Database::write(std::vector<Write> writes, const CallContext& context, WritesDone done) {
    done = after_erasures(writes, context, std::move(done));
    write_lines(std::move(writes), nullptr, context, std::move(done));
}

void Database::write_import(std::vector<Write> writes, const ImportChunk& chunk,
                            const CallContext& context, WritesDone done) {
    for (Write& write : writes) {
        if (auto* const signal = std::get_if<SignalWrite>(&write)) signal->under_policy = false;
        if (auto* const undo = std::get_if<SignalUndo>(&write)) undo->under_policy = false;
    }
    write_lines(std::move(writes), &chunk, context, std::move(done));
}

void Database::write_lines(std::vector<Write> writes, const ImportChunk* chunk,
                           const CallContext& context, WritesDone done) {
    auto join = std::make_shared<Join>(writes.size(), context.first_line, std::move(done));
    Result<void> room;
    {
        const std::lock_guard lock(mutex_);
        const bool waits = widening_ > 0 || writing_held_;
        if (waits) room = count_waiting(writes, join.get());
        if (waits && room.ok()) {
            held_.push_back({std::move(writes), chunk ? std::optional(*chunk) : std::nullopt,
                             context, std::move(join)});
            return;
        }
    }
    if (!room.ok()) return join->fail_all(room.error());
    write_joined(std::move(writes), chunk, context, std::move(join));
}

/// Of a call that waits for a wider schema, until it is proposed: then a shard counts it.
Result<void> Database::count_waiting(const std::vector<Write>& writes, Join* join) {
    if (join->waiting) return {};
    const std::uint64_t waiting = waiting_bytes_;
    if (waiting > options_.writes_bytes_max)
        return Error(ErrorCode::kOverloaded, "too many writes wait for new fields of the schema")
            .with("bytes", waiting)
            .with("bytes_max", options_.writes_bytes_max)
            .with_hint("retry, or send fewer at once; --writes-memory-mib says how much may wait");
    join->waiting.emplace(&waiting_bytes_, memory_of(writes));
    return {};
}

void Database::write_joined(std::vector<Write> writes, const ImportChunk* chunk,
                            const CallContext& context, std::shared_ptr<Join> join,
                            bool caught_up) {
    if (options_.ephemeral && concern_of(context) != shard::WriteConcern::kMemory) {
        for (std::size_t line = 0; line < writes.size(); ++line)
            join->fail(line, Error(ErrorCode::kInvalidArgument,
                                   "an ephemeral database keeps nothing on disk")
                                 .with_field("w")
                                 .with_hint("w=memory, or start without --ephemeral"));
        return join->arrive();
    }
    const auto schema = this->schema();
    if (auto wider = add_dynamic_fields(*schema, writes)) {
        // Fields stay for good: those of what would be refused are not made.
        const Result<void> room = memory_budget_ ? memory_budget_->admit() : Result<void>();
        if (!room.ok()) {
            memory_budget_->count_refused(writes.size());
            return join->fail_all(room.error());
        }
        if (auto counted = count_waiting(writes, join.get()); !counted.ok())
            return join->fail_all(counted.error());
        {
            const std::lock_guard lock(mutex_);
            ++widening_;
        }
        return widen_then_write(*wider, std::move(writes), chunk, context, std::move(join));
    }
    Groups groups = group_by_shard(writes, chunk, *schema, context, *join);
    if (cluster_ != nullptr && !caught_up && (join->names_unknown() || name_collections(writes)))
        return catch_up_then_write(std::move(writes), chunk, context, std::move(join));
    auto elsewhere = name_targets(&groups, *join);
    if (cluster_ != nullptr && !caught_up && !elsewhere.empty()) {
        join->forget();
        const std::optional<ImportChunk> kept = chunk ? std::optional(*chunk) : std::nullopt;
        return catch_up_with(std::move(elsewhere), [this, writes = std::move(writes), kept, context,
                                                    join = std::move(join)]() mutable {
            write_joined(std::move(writes), kept ? &*kept : nullptr, context, std::move(join),
                         true);
        });
    }
    name_cohorts(&groups, *join);
    if (chunk != nullptr) name_import(*chunk, *schema, writes.size(), &groups);
    join->waiting.reset();
    propose_groups(std::move(groups), context, std::move(join));
}

/// A name may have been declared on another node a moment ago; a collection may have been deleted
/// there and made anew under its name, in which case what this node knows is the one that is gone.
void Database::catch_up_then_write(std::vector<Write> writes, const ImportChunk* chunk,
                                   const CallContext& context, std::shared_ptr<Join> join) {
    join->forget();
    const std::optional<ImportChunk> kept = chunk ? std::optional(*chunk) : std::nullopt;
    const std::shared_ptr<Join> refused = name_collections(writes) ? join : nullptr;
    auto again = [this, writes = std::move(writes), kept, context,
                  join = std::move(join)](Result<void>) mutable {
        write_joined(std::move(writes), kept ? &*kept : nullptr, context, std::move(join), true);
    };
    cluster_->fences().pass(
        {}, {kMetaShard}, kCatchUpMs,
        [this, refused, again = std::move(again)](Result<FenceReply> passed) mutable {
            if (!passed.ok() && refused != nullptr) return refused->fail_all(passed.error());
            if (!passed.ok()) return again({});
            const SchemaVersion newest = shards_[0]->with_state(
                [](shard::ShardState& state) { return state.schema()->version; });
            wait_for_schema(newest, runtime_.clock().monotonic_ns() + kCatchUpMs * 1'000'000,
                            std::move(again));
        });
}

/// The schema learns the fields before the writes that need them are logged.
void Database::widen_then_write(const schema::Schema& wider, std::vector<Write> writes,
                                const ImportChunk* chunk, const CallContext& context,
                                std::shared_ptr<Join> join) {
    const std::optional<ImportChunk> kept = chunk ? std::optional(*chunk) : std::nullopt;
    put_schema(schema::print_schema(wider), [this, writes = std::move(writes), kept, context,
                                             join = std::move(join)](Result<void> put) mutable {
        auto again = [this, writes = std::move(writes), kept, context, join]() mutable {
            write_joined(std::move(writes), kept ? &*kept : nullptr, context, std::move(join));
            end_widening();
        };
        if (put.ok()) return again();
        // Another writer's fields are under way: look again when they are there.
        if (put.error().code() == ErrorCode::kConflict) {
            executors_.front()->post_after(kSchemaRetryNs, std::move(again));
            return;
        }
        for (std::size_t line = 0; line < join->replies.size(); ++line)
            join->fail(line, Error(put.error()));
        join->arrive();
        end_widening();
    });
}

void Database::end_widening() {
    {
        const std::lock_guard lock(mutex_);
        --widening_;
    }
    write_held();
}

/// One thread at a time, and none of them past a write that widens the schema in its turn.
void Database::write_held() {
    std::unique_lock lock(mutex_);
    if (writing_held_) return;
    writing_held_ = true;
    while (widening_ == 0 && !held_.empty()) {
        HeldWrite next = std::move(held_.front());
        held_.pop_front();
        lock.unlock();
        write_joined(std::move(next.writes), next.chunk ? &*next.chunk : nullptr, next.context,
                     std::move(next.join));
        lock.lock();
    }
    writing_held_ = false;
}

/// The newest write, which is still the last one of its group.
void Database::take_back(std::size_t line, Groups* groups) {
    for (auto at = groups->begin(); at != groups->end(); ++at) {
        WriteGroup& group = at->second;
        if (group.lines.empty() || group.lines.back() != line) continue;
        group.lines.pop_back();
        group.proposal.records.pop_back();
        if (group.lines.empty()) groups->erase(at);
        return;
    }
}

Database::Groups Database::group_by_shard(const std::vector<Write>& writes,
                                          const ImportChunk* chunk, const schema::Schema& schema,
                                          const CallContext& context, Join& join) {
    const UnixMillis now_ms = runtime_.clock().wall_ms();
    const auto collections = this->collections();
    Groups groups;
    for (std::size_t line = 0; line < writes.size(); ++line) {
        const bool with_previous = chunk != nullptr && chunk->with_previous(line);
        if (with_previous && join.failed(line - 1)) {
            join.fail_as(line, line - 1);
            continue;
        }
        auto resolved = resolve(schema, context.tenant, writes[line], now_ms, *collections);
        if (!resolved.ok()) {
            join.fail(line, resolved.take_error());
            for (std::size_t at = line; chunk != nullptr && chunk->with_previous(at); --at) {
                take_back(at - 1, &groups);
                join.fail_as(at - 1, line);
            }
            continue;
        }
        record::Record record;
        record::Envelope& envelope = record.envelope;
        envelope.idempotency_key = line_key(context, resolved->idempotency_key, line);
        if (auto checked = check_key(envelope.idempotency_key); !checked) {
            join.fail(line, checked.take_error());
            continue;
        }
        envelope.tenant = context.tenant;
        envelope.principal = context.principal;
        envelope.schema_version = schema.version;
        envelope.session = std::move(resolved->session);
        envelope.session_sequence = resolved->session_sequence;
        envelope.event_time_given = resolved->at_ms.has_value();
        envelope.event_time_ms = resolved->at_ms.value_or(0);
        record.body = std::move(resolved->body);
        if (auto* const erases = std::get_if<record::EraseUserBody>(&record.body))
            erases->others = others_than(shard_of(resolved->vshard));
        WriteGroup& group = groups[shard_of(resolved->vshard)];
        if (group.lines.empty()) {
            const std::size_t share = writes.size() / (shards_.size() - 1);  // Not the metadata's.
            group.proposal.records.reserve(share + share / 2 + 1);
            group.lines.reserve(share + share / 2 + 1);
        }
        group.proposal.records.push_back(std::move(record));
        group.lines.push_back(line);
    }
    return groups;
}

/// What of the rows a shard has already, its leader says (propose_here).
void Database::name_import(const ImportChunk& chunk, const schema::Schema& schema,
                           std::size_t lines, Groups* groups) {
    for (auto& [id, group] : *groups) {
        ImportPart& part = group.proposal.import.emplace();
        part.import_id = chunk.import_id;
        part.schema_version = schema.version;
        part.mark = chunk.position(lines - 1);
        for (const std::size_t line : group.lines) part.positions.push_back(chunk.position(line));
    }
}

/// The shard of what a session's signal, or the undo of one, is about; 0 of any other record.
ShardId Database::goes_on_to(const record::Record& record) const {
    const TenantId tenant = record.envelope.tenant;
    if (const auto* undo = std::get_if<record::SessionUndoBody>(&record.body))
        return shard_of(record::vshard_of(tenant, undo->kind, undo->item));
    const auto* body = std::get_if<record::SessionSignalBody>(&record.body);
    if (body == nullptr) return ShardId(0);
    const EntityKind kind = schema()->signals[body->signal.signal.value()].target;
    return shard_of(record::vshard_of(tenant, kind, body->signal.item));
}

/// Whether it is a session's signal by which its user hides an item. It is answered once the item's
/// shard knows it: from then on every page does.
bool Database::hides_by_session(const record::Record& record) const {
    const auto* body = std::get_if<record::SessionSignalBody>(&record.body);
    if (body == nullptr) return false;
    const auto schema = this->schema();
    return std::ranges::binary_search(schema->signals[body->signal.signal.value()].sets_state,
                                      audience::kHiddenName);
}

/// Hides that go on to other shards are answered once they are there.
void Database::answer_lines(const GroupAnswer& answer, const std::shared_ptr<Join>& join,
                            const Result<std::vector<shard::Outcome>>& outcomes) {
    Token rows;
    std::vector<std::size_t> waiting;
    for (std::size_t i = 0; i < answer.lines.size(); ++i) {
        const std::size_t line = answer.lines[i];
        if (!outcomes.ok()) {
            join->fail(line, Error(outcomes.error()));
            continue;
        }
        const shard::Outcome& outcome = (*outcomes)[i];
        if (outcome.refused) {
            join->fail(line, Error(*outcome.refused));
            continue;
        }
        join->replies[line].emplace(write_reply(outcome, answer.shard, answer.on_to[i],
                                                answer.concern, cluster_ != nullptr,
                                                options_.ephemeral));
        if (!answer.hides[i]) continue;
        waiting.push_back(line);
        add_rows(outcome, answer.shard, &rows);
    }
    if (waiting.empty()) return join->arrive();
    const std::uint64_t now_ns = runtime_.clock().monotonic_ns();
    const std::uint64_t left_ns = answer.deadline_ns - std::min(answer.deadline_ns, now_ns);
    wait_for(rows, left_ns / 1'000'000, [join, waiting = std::move(waiting)](Result<void> there) {
        for (const std::size_t line : waiting)
            if (!there.ok()) join->fail(line, not_hidden_yet(there.error().code()));
        join->arrive();
    });
}

void Database::propose_groups(Groups groups, const CallContext& context,
                              std::shared_ptr<Join> join) {
    const shard::WriteConcern concern = concern_of(context);
    const std::uint64_t deadline_ns =
        runtime_.clock().monotonic_ns() + context.timeout_ms * 1'000'000;
    join->left += groups.size();
    std::optional<cluster::GroupHost::Burst> burst;
    if (cluster_ != nullptr && groups.size() > 1) burst.emplace(cluster_->node().groups());
    for (auto& [id, group] : groups) {
        group.proposal.shard = id;
        group.proposal.concern = concern;
        GroupAnswer answer{id, concern, deadline_ns, std::move(group.lines), {}, {}};
        answer.on_to.reserve(answer.lines.size());
        for (const record::Record& record : group.proposal.records) {
            answer.on_to.push_back(goes_on_to(record));
            answer.hides.push_back(hides_by_session(record) && answer.on_to.back() != id);
        }
        auto answered = [this, join,
                         answer = std::move(answer)](Result<std::vector<shard::Outcome>> outcomes) {
            answer_lines(answer, join, outcomes);
        };
        route(std::move(group.proposal), context.timeout_ms, std::move(answered),
              context.forwarded);
    }
    burst.reset();  // before the last arrival, behind which all may be gone
    join->arrive();
}

void Database::route(Proposal proposal, std::uint64_t timeout_ms, shard::Shard::Done done,
                     bool only_here) {
    if (cluster_ == nullptr || only_here)
        return propose_here(std::move(proposal), timeout_ms, std::move(done));
    cluster_->router().route(std::move(proposal), timeout_ms, std::move(done));
}

void Database::propose_here(Proposal proposal, std::uint64_t timeout_ms, shard::Shard::Done done) {
    shard::Shard& to = shard(proposal.shard);
    if (cluster_ != nullptr)
        if (auto ready = cluster_->router().may_propose_here(proposal); !ready.ok())
            return done(ready.take_error());
    if (proposal.import) return propose_import(std::move(proposal), timeout_ms, std::move(done));
    to.propose(std::move(proposal.records), proposal.concern, timeout_ms, std::move(done));
}

/// Rows the shard has already are answered without being written; its mark follows the rest, in
/// the same batch of the log.
void Database::propose_import(Proposal proposal, std::uint64_t timeout_ms,
                              shard::Shard::Done done) {
    shard::Shard& to = shard(proposal.shard);
    const ImportPart& import = *proposal.import;
    const auto mark = to.with_state(
        [&](shard::ShardState& state) { return state.import_position(import.import_id); });
    if (!mark.ok()) return done(Error(mark.error()));
    std::vector<shard::Outcome> outcomes(proposal.records.size());
    std::vector<record::Record> fresh;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < proposal.records.size(); ++i) {
        if (import.positions[i] <= *mark) {
            outcomes[i].repeated = true;
            continue;
        }
        fresh.push_back(std::move(proposal.records[i]));
        places.push_back(i);
    }
    if (fresh.empty()) return done(std::move(outcomes));
    record::Record position;
    position.envelope.schema_version = import.schema_version;
    position.body = record::ImportMarkBody{import.import_id, import.mark};
    fresh.push_back(std::move(position));
    to.propose(
        std::move(fresh), proposal.concern, timeout_ms,
        [done = std::move(done), outcomes = std::move(outcomes),
         places = std::move(places)](Result<std::vector<shard::Outcome>> written) mutable {
            if (!written.ok()) return done(written.take_error());
            for (std::size_t i = 0; i < places.size(); ++i)
                outcomes[places[i]] = std::move((*written)[i]);
            done(std::move(outcomes));
        },
        *mark);
}

void Database::put_import_note(const std::string& name, std::uint64_t value, Done done) {
    Proposal proposal;
    proposal.shard = ShardId(1);
    proposal.concern = concern_of({});
    proposal.records.emplace_back().body = record::ImportMarkBody{name, value};
    route(std::move(proposal), CallContext().timeout_ms,
          [done = std::move(done)](Result<std::vector<shard::Outcome>> outcomes) mutable {
              if (!outcomes.ok()) return done(outcomes.take_error());
              done({});
          });
}

void Database::newest_import_note(const std::string& name,
                                  absl::AnyInvocable<void(Result<std::uint64_t>)> done) {
    if (cluster_ == nullptr) return done(import_note(name));
    cluster_->fences().pass(
        {}, {ShardId(1)}, CallContext().timeout_ms,
        [this, name, done = std::move(done)](Result<FenceReply> passed) mutable {
            if (!passed.ok()) return done(passed.take_error());
            done(import_note(name));
        });
}

Result<std::uint64_t> Database::import_note(const std::string& name) {
    TIDAL_TRY(check_readable(ShardId(1)));
    return shard(ShardId(1)).with_state([&](shard::ShardState& state) {
        return state.import_position(name);
    });
}

}  // namespace tidal::api
