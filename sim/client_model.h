// sim/client_model.h: what one simulated client wrote, and what must therefore be there.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/types.h"
#include "runtime/random.h"

namespace tidal::sim {

/// Exact counts of one (entity, signal) pair.
struct Counts {
    std::int64_t events = 0;
    double weight = 0;
};

struct ItemModel {
    bool exists = false;
    std::string title;
    std::uint64_t creator = 0;
    std::map<std::string, Counts> signals;
};

/// One call at a time, to items no other client touches, so that the expected state is exact. A
/// call that was not acknowledged whole is sent again, unchanged and under the same keys.
class ClientModel {
public:
    /// @param burst_max  Signals of one call, at most; most calls are of one write.
    ClientModel(int number, runtime::Random& random, std::uint64_t burst_max = 1)
        : number_(number), random_(&random), burst_max_(burst_max) {}
    /// The same client, choosing what comes next with its own randomness.
    ClientModel(const ClientModel& other, runtime::Random& random) : ClientModel(other) {
        random_ = &random;
    }

    /// The call to send now: the unacknowledged one, or the next. Never empty.
    const std::vector<api::Write>& current(std::string* key);
    /// All of it took effect.
    void acknowledged();
    /// How many signals the call under way may have added to an item, or taken away.
    std::int64_t uncertain(std::uint64_t item) const;
    /// The call under way deletes it.
    bool erases(std::uint64_t item) const;
    bool waiting() const { return waiting_; }
    void set_waiting(bool waiting) { waiting_ = waiting; }

    const std::map<std::uint64_t, ItemModel>& items() const { return items_; }
    /// What this client's signals add up to at each creator.
    const std::map<std::uint64_t, std::map<std::string, Counts>>& creators() const {
        return creators_;
    }
    int writes() const { return writes_; }

private:
    void choose();
    bool choose_undo();
    void choose_signal(std::uint64_t id);
    void choose_burst();
    void take(const api::Write& write);
    void count(std::uint64_t id, const api::SignalWrite& signal, int sign);

    static constexpr std::uint64_t kItems = 6;
    static constexpr std::uint64_t kCreators = 5;

    const int number_;
    runtime::Random* random_;
    const std::uint64_t burst_max_;
    std::map<std::uint64_t, ItemModel> items_;
    std::map<std::uint64_t, std::map<std::string, Counts>> creators_;
    std::vector<std::pair<std::string, api::SignalWrite>> undoable_;
    std::vector<api::Write> current_;
    std::string key_;
    int writes_ = 0;
    bool waiting_ = false;
};

}  // namespace tidal::sim
