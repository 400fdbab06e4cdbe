#include <algorithm>
#include <limits>

#include "base/hash.h"
#include "query/cohort.h"
#include "query/match_one.h"
#include "ranking/source_text.h"

namespace tidal::query {
namespace {

CohortId id_of(const Cohort& cohort) {
    const std::uint64_t hash = hash64(cohort.name + '\0' + std::to_string(cohort.version));
    return CohortId(static_cast<std::uint32_t>(hash));
}

Error of_cohort(Error error, const Cohort& cohort) {
    return std::move(error).with("cohort", cohort.name);
}

Result<std::vector<SignalTypeId>> bind_signals(const Cohort& cohort, const schema::Schema& schema) {
    std::vector<SignalTypeId> out;
    for (const std::string& name : cohort.signals) {
        const schema::SignalSpec* const signal = schema.find_signal(name);
        if (signal != nullptr && signal->target == EntityKind::kItem) {
            out.push_back(signal->id);
            continue;
        }
        std::vector<std::string_view> known;
        for (const auto& each : schema.signals)
            if (each.target == EntityKind::kItem) known.push_back(each.name);
        return Error(ErrorCode::kUnknownName, "unknown signal `" + name + "` of items")
            .with_hint(ranking::suggestion(name, "signals", known))
            .with_reason("unknown_signal");
    }
    return out;
}

Result<BoundCohort> bind_one(Cohort cohort, const schema::Schema& schema) {
    BoundCohort out;
    TIDAL_ASSIGN(out.signals, bind_signals(cohort, schema));
    auto where = bind_filter(cohort.where, cohort.text, schema, EntityKind::kUser);
    const bool more = !where.ok() && where.error().reason() == "missing_input";
    if (more || (where.ok() && !is_of_fields_alone(*where)))
        return Error(ErrorCode::kInvalidArgument,
                     "a cohort is told by fields of users, not by what they did or by time passing")
            .with_hint("`created_at > '2026-01-01'` in the place of `created_within`");
    if (!where) return where.take_error();
    out.where = *std::move(where);
    out.id = id_of(cohort);
    out.cohort = std::move(cohort);
    return out;
}

/// Itself and those above it; more than kCohortDepthMax where a cohort is above itself.
std::size_t depth_of(const BoundCohort& cohort) {
    std::size_t depth = 1;
    for (const BoundCohort* at = cohort.parent; at != nullptr && depth <= kCohortDepthMax;
         at = at->parent)
        ++depth;
    return depth;
}

}  // namespace

const BoundCohort* Cohorts::find(std::string_view name) const {
    const auto by_name = [](const BoundCohort& cohort) -> std::string_view {
        return cohort.cohort.name;
    };
    const auto found = std::ranges::lower_bound(all_, name, {}, by_name);
    return found != all_.end() && by_name(*found) == name ? &*found : nullptr;
}

Result<Cohorts> Cohorts::bind(std::vector<Cohort> cohorts, const schema::Schema& schema) {
    if (cohorts.size() > kCohortCountMax)
        return Error(ErrorCode::kTooLarge, "there are too many cohorts")
            .with("most", kCohortCountMax);
    std::ranges::sort(cohorts, {}, &Cohort::name);
    Cohorts out;
    for (Cohort& cohort : cohorts) {
        auto bound = bind_one(cohort, schema);
        if (!bound) return of_cohort(bound.take_error(), cohort);
        for (const BoundCohort& other : out.all_)
            if (other.id == bound->id)
                return of_cohort(Error(ErrorCode::kConflict,
                                       "its ledgers would be those of `" + other.cohort.name + "`")
                                     .with_reason("cohort_id_taken")
                                     .with_hint("give it another name or version"),
                                 cohort);
        out.all_.push_back(*std::move(bound));
    }
    for (BoundCohort& cohort : out.all_) {
        if (cohort.cohort.parent.empty()) continue;
        cohort.parent = out.find(cohort.cohort.parent);
        if (cohort.parent != nullptr) continue;
        std::vector<std::string_view> known;
        for (const BoundCohort& each : out.all_)
            if (&each != &cohort) known.push_back(each.cohort.name);
        return of_cohort(
            Error(ErrorCode::kUnknownName, "unknown cohort `" + cohort.cohort.parent + "`")
                .with_hint(ranking::suggestion(cohort.cohort.parent, "cohorts", known))
                .with_reason("unknown_cohort"),
            cohort.cohort);
    }
    for (const BoundCohort& cohort : out.all_) {
        if (depth_of(cohort) > kCohortDepthMax)
            return of_cohort(Error(ErrorCode::kInvalidArgument,
                                   "a cohort is at most the eighth of a line, and never above "
                                   "itself")
                                 .with_reason("cohort_too_deep"),
                             cohort.cohort);
        out.parents_first_.push_back(&cohort);
    }
    std::ranges::stable_sort(out.parents_first_, {},
                             [](const BoundCohort* cohort) { return depth_of(*cohort); });
    return out;
}

bool Cohorts::track(SignalTypeId signal) const {
    return std::ranges::any_of(all_, [&](const BoundCohort& cohort) {
        return std::ranges::find(cohort.signals, signal) != cohort.signals.end();
    });
}

/// Parents first.
std::vector<const BoundCohort*> Cohorts::members(const entity::EntityTable& users,
                                                 Slot user) const {
    std::vector<const BoundCohort*> out;
    for (const BoundCohort* cohort : parents_first_) {
        const bool may =
            cohort->parent == nullptr || std::ranges::find(out, cohort->parent) != out.end();
        if (may && matches(cohort->where, users, user)) out.push_back(cohort);
    }
    return out;
}

std::vector<CohortId> Cohorts::of(const entity::EntityTable& users, Slot user,
                                  SignalTypeId signal) const {
    std::vector<CohortId> out;
    for (const BoundCohort* cohort : members(users, user)) {
        if (std::ranges::find(cohort->signals, signal) == cohort->signals.end()) continue;
        out.push_back(cohort->id);
        if (out.size() == record::kCohortsMax) break;
    }
    std::ranges::sort(out);
    return out;
}

std::vector<const BoundCohort*> Cohorts::narrowest(const entity::EntityTable& users,
                                                   Slot user) const {
    const std::vector<const BoundCohort*> in = members(users, user);
    std::vector<const BoundCohort*> out;
    for (const BoundCohort* cohort : in)
        if (std::ranges::find(in, cohort, &BoundCohort::parent) == in.end()) out.push_back(cohort);
    std::ranges::sort(out, {}, [](const BoundCohort* cohort) { return cohort->cohort.name; });
    if (out.size() > record::kCohortsMax) out.resize(record::kCohortsMax);
    return out;
}

}  // namespace tidal::query
