// Cohorts: their definitions, who is in them when a signal is written, whose ledgers a page reads.
#include "query/cohort.h"

#include <algorithm>

#include "api/database.h"
#include "api/internal/cohorts.h"
#include "api/internal/write_join.h"
#include "query/feed.h"
#include "ranking/source_text.h"

namespace tidal::api {
namespace {

/// Also of one that a session sends.
const record::SignalBody* signal_of(const record::Record& record) {
    if (const auto* body = std::get_if<record::SessionSignalBody>(&record.body))
        return &body->signal;
    return std::get_if<record::SignalBody>(&record.body);
}

}  // namespace

std::vector<query::Cohort> cohorts_in(const std::vector<shard::CatalogEntry>& entries) {
    std::vector<query::Cohort> out;
    for (const shard::CatalogEntry& entry : entries) {
        if (entry.kind != record::CatalogKind::kCohort) continue;
        auto cohort = query::parse_cohort(entry.text);
        if (!cohort.ok()) continue;
        if (!out.empty() && out.back().name == cohort->name) out.pop_back();
        out.push_back(std::move(*cohort));
    }
    return out;
}

std::shared_ptr<const query::Cohorts> bind_cohorts(std::vector<query::Cohort> cohorts,
                                                   const schema::Schema& schema) {
    if (auto all = query::Cohorts::bind(cohorts, schema); all.ok())
        return std::make_shared<const query::Cohorts>(*std::move(all));
    query::Cohorts out;
    std::vector<query::Cohort> fitting;
    for (bool more = true; more;) {
        more = false;
        for (auto at = cohorts.begin(); at != cohorts.end();) {
            fitting.push_back(*at);
            auto bound = query::Cohorts::bind(fitting, schema);
            if (!bound.ok()) {
                fitting.pop_back();
                ++at;
                continue;
            }
            out = *std::move(bound);
            at = cohorts.erase(at);
            more = true;
        }
    }
    return std::make_shared<const query::Cohorts>(std::move(out));
}

std::shared_ptr<const query::Cohorts> Database::cohorts() const {
    const std::lock_guard lock(mutex_);
    return cohorts_;
}

void Database::put_cohort(std::string text, bool dry_run, CatalogDone done) {
    change_catalog(
        dry_run, [this, text = std::move(text)] { return make_cohort(text); }, std::move(done));
}

Result<Database::CatalogChange> Database::make_cohort(const std::string& text) {
    auto cohort = query::parse_cohort(text);
    if (!cohort.ok()) return cohort.take_error().with_field("text");
    if (auto named = schema::check_name(cohort->name); !named)
        return named.take_error().with_field("text");
    std::vector<query::Cohort> all = cohorts_in(catalog_entries());
    std::erase_if(all, [&](const query::Cohort& each) { return each.name == cohort->name; });
    all.push_back(*cohort);
    if (auto bound = query::Cohorts::bind(std::move(all), *schema()); !bound.ok())
        return bound.take_error().with_field("text");
    return CatalogChange{{record::CatalogKind::kCohort, cohort->name, cohort->version, text}, {}};
}

std::int64_t Database::cohort_events(CohortId cohort, UnixMillis now_ms) {
    std::int64_t out = 0;
    for (std::size_t id = 1; id < shards_.size(); ++id)
        out += shards_[id]->with_state([&](shard::ShardState& state) {
            return state.cohorts().events(cohort, state.read_time_ms(now_ms));
        });
    return out;
}

Result<CohortReply> Database::cohort(std::string_view name) {
    TIDAL_TRY(check_readable());
    const auto known = cohorts();
    const query::BoundCohort* const found = known->find(name);
    if (found == nullptr)
        return Error(ErrorCode::kNotFound, "no cohort `" + std::string(name) + "`")
            .with_field("name");
    return CohortReply{found->cohort, cohort_events(found->id, runtime_.clock().wall_ms())};
}

/// A cohort of which too little is known is read as the first above it of which there is enough,
/// else as everybody.
Result<query::FeedCohort> Database::cohort_of(const std::string& name, UnixMillis now_ms) {
    const auto known = cohorts();
    const query::BoundCohort* const asked = known->find(name);
    if (asked == nullptr) {
        std::vector<std::string_view> names;
        for (const query::BoundCohort& each : known->all()) names.push_back(each.cohort.name);
        return Error(ErrorCode::kUnknownName, "unknown cohort `" + name + "`")
            .with_field("cohort")
            .with_reason("unknown_cohort")
            .with_hint(ranking::suggestion(name, "cohorts", names));
    }
    return read_as(*asked, now_ms);
}

query::FeedCohort Database::read_as(const query::BoundCohort& asked, UnixMillis now_ms) {
    const std::string& name = asked.cohort.name;
    std::int64_t asked_events = 0;
    const query::BoundCohort* read = &asked;
    for (; read != nullptr; read = read->parent) {
        const std::int64_t events = cohort_events(read->id, now_ms);
        if (read == &asked) asked_events = events;
        if (events >= read->cohort.events_min) break;
    }
    query::FeedCohort out{
        .name = name, .id = {}, .signals = asked.signals, .read = {}, .instead = {}};
    if (read != nullptr) {
        out.id = read->id;
        out.read = read->cohort.name;
        out.signals = read->signals;
    }
    if (read == &asked) return out;
    out.instead = "cohort `" + name + "` has " + std::to_string(asked_events) +
                  " events in 7d, fewer than " + std::to_string(asked.cohort.events_min) + ": " +
                  (read != nullptr ? "its parent `" + read->cohort.name + "` is read instead"
                                   : "everybody is read instead");
    return out;
}

/// Those whose ledgers, or whose parents', say enough; each ledger once.
std::vector<query::FeedCohort> Database::own_cohorts(const EntityId& user, UnixMillis now_ms) {
    std::vector<query::FeedCohort> out;
    const auto known = cohorts();
    if (known->empty()) return out;
    const ShardId home = shard_of(record::vshard_of(kDefaultTenant, EntityKind::kUser, user));
    const auto own = shard(home).with_state([&](shard::ShardState& state) {
        const entity::EntityTable& users = state.entities(EntityKind::kUser);
        const auto slot = users.find(user);
        return slot ? known->narrowest(users, *slot) : std::vector<const query::BoundCohort*>();
    });
    for (const query::BoundCohort* cohort : own) {
        query::FeedCohort read = read_as(*cohort, now_ms);
        if (read.id && std::ranges::find(out, read.id, &query::FeedCohort::id) == out.end())
            out.push_back(std::move(read));
    }
    return out;
}

/// Who is in which cohort is written into each signal by whoever takes it in, so that every replica
/// counts the same: the users' fields are in other shards than the items.
void Database::name_cohorts(Groups* groups, Join& join) {
    const auto known = cohorts();
    if (known->empty()) return;
    std::map<ShardId, std::vector<record::Record*>> homes;
    for (auto& [id, group] : *groups)
        for (record::Record& record : group.proposal.records) {
            const record::SignalBody* const signal = signal_of(record);
            if (signal == nullptr || !signal->user || !known->track(signal->signal)) continue;
            const VShard vshard =
                record::vshard_of(record.envelope.tenant, EntityKind::kUser, *signal->user);
            homes[shard_of(vshard)].push_back(&record);
        }
    for (auto& [home, signals] : homes) {
        const auto named = name_cohorts(home, *known, signals);
        if (named.ok()) continue;
        // All of it: rows of an import are only passed over together.
        for (auto& [id, group] : *groups)
            for (const std::size_t line : group.lines) join.fail(line, Error(named.error()));
        groups->clear();
        return;
    }
}

Result<void> Database::name_cohorts(ShardId home, const query::Cohorts& known,
                                    std::span<record::Record* const> signals) {
    TIDAL_TRY(check_readable(home));
    shard(home).with_state([&](shard::ShardState& state) {
        const entity::EntityTable& users = state.entities(EntityKind::kUser);
        for (record::Record* const record : signals) {
            const record::SignalBody& body = *signal_of(*record);
            if (const auto user = users.find(*body.user))
                record->envelope.cohorts = known.of(users, *user, body.signal);
        }
    });
    return {};
}

}  // namespace tidal::api
