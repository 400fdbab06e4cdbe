// query/cohort.h: named groups of users, and who is in them. Language: docs/guides/cohorts.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "query/bound_filter.h"
#include "query/filter.h"

namespace tidal::query {

inline constexpr std::size_t kCohortCountMax = 256;  ///< Not retired.
inline constexpr std::size_t kCohortDepthMax = 8;    ///< A cohort and those above it.
inline constexpr std::size_t kCohortSignalsMax = 8;  ///< That one cohort tracks.

struct Cohort {
    std::string name;
    std::uint32_t version = 1;
    std::string about;
    std::string parent;                ///< Whose members alone may be in it; empty = anybody.
    std::vector<std::string> signals;  ///< It tracks these; at least one.
    std::uint32_t events_min = 50;     ///< With fewer in 7d its parent's ledgers are read.
    FilterNode where;                  ///< About fields of users.
    std::string text;                  ///< As written; not compared.

    bool operator==(const Cohort& other) const {
        return name == other.name && version == other.version && about == other.about &&
               parent == other.parent && signals == other.signals &&
               events_min == other.events_min && where == other.where;
    }
};

/// @return kInvalidArgument with line, column and offset; kTooLarge above ranking::kTextBytesMax.
Result<Cohort> parse_cohort(std::string_view text);
/// Text that parses to an equal cohort.
std::string print_cohort(const Cohort& cohort);

struct BoundCohort {
    Cohort cohort;
    CohortId id;  ///< Of name and version: a new version has ledgers of its own.
    std::vector<SignalTypeId> signals;
    BoundFilter where;
    const BoundCohort* parent = nullptr;
};

/// All cohorts of a catalogue against its schema. Immutable; shared by threads.
class Cohorts {
public:
    Cohorts() = default;
    Cohorts(Cohorts&&) noexcept = default;
    Cohorts& operator=(Cohorts&&) noexcept = default;

    /// @param cohorts  Of different names.
    /// @return kUnknownName  a field, signal or parent, with a hint;
    ///         kInvalidArgument  what the filter language refuses, a condition that changes with
    ///                           time alone, a parent below its child, too many levels;
    ///         kConflict  two of them would share an id, reason "cohort_id_taken"; kTooLarge.
    static Result<Cohorts> bind(std::vector<Cohort> cohorts, const schema::Schema& schema);

    bool empty() const { return all_.empty(); }
    /// By name.
    std::span<const BoundCohort> all() const { return all_; }
    const BoundCohort* find(std::string_view name) const;
    /// Whether the signal counts in some cohort.
    bool track(SignalTypeId signal) const;

    /// The cohorts that track `signal` and that the user of a slot is in: at most 8, those with the
    /// fewest above them first; sorted, as a record names them.
    /// @param users  The table of the user's shard.
    std::vector<CohortId> of(const entity::EntityTable& users, Slot user,
                             SignalTypeId signal) const;

    /// Those that the user of a slot is in and that are above no other of them, by name; at most 8.
    std::vector<const BoundCohort*> narrowest(const entity::EntityTable& users, Slot user) const;

private:
    std::vector<const BoundCohort*> members(const entity::EntityTable& users, Slot user) const;

    std::vector<BoundCohort> all_;
    std::vector<const BoundCohort*> parents_first_;
};

}  // namespace tidal::query
