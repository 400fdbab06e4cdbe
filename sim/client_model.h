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

/// One write at a time, to items no other client touches, so that the expected state is exact. A
/// write that was not acknowledged is sent again, unchanged and under the same key.
class ClientModel {
public:
    ClientModel(int number, runtime::Random& random) : number_(number), random_(&random) {}
    /// The same client, choosing what comes next with its own randomness.
    ClientModel(const ClientModel& other, runtime::Random& random) : ClientModel(other) {
        random_ = &random;
    }

    /// The write to send now: the unacknowledged one, or the next.
    const api::Write& current(std::string* key);
    /// The current write took effect.
    void acknowledged();
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
    void choose_signal(std::uint64_t id);
    void count(std::uint64_t id, const api::SignalWrite& signal, int sign);

    static constexpr std::uint64_t kItems = 6;
    static constexpr std::uint64_t kCreators = 5;

    const int number_;
    runtime::Random* random_;
    std::map<std::uint64_t, ItemModel> items_;
    std::map<std::uint64_t, std::map<std::string, Counts>> creators_;
    std::vector<std::pair<std::string, api::SignalWrite>> undoable_;
    std::optional<api::Write> current_;
    std::string key_;
    int writes_ = 0;
    bool waiting_ = false;
};

}  // namespace tidal::sim
