#include "sim/model_check.h"

namespace tidal::sim {
namespace {

std::string print(std::int64_t count, double weight) {
    return std::to_string(count) + " weighing " + std::to_string(weight);
}

std::string check_counts(api::Database& database, EntityKind kind, std::uint64_t id,
                         const std::map<std::string, Counts>& expected) {
    const auto readings = database.signals({kind, id});
    const std::string who = std::string(entity_kind_name(kind)) + " " + std::to_string(id);
    if (!readings.ok()) return who + ": " + readings.error().to_string();
    for (const auto& one : readings->signals) {
        const auto found = expected.find(one.name);
        const Counts counts = found == expected.end() ? Counts() : found->second;
        const auto& all = one.reading.windows[static_cast<std::size_t>(schema::Window::kAll)];
        const double weight = record::weight_to_double(all.sum);
        if (all.count != counts.events || weight != counts.weight)
            return who + " " + one.name + ": counted " + print(all.count, weight) + ", should be " +
                   print(counts.events, counts.weight);
    }
    return {};
}

std::string check_item(api::Database& database, std::uint64_t id, const ItemModel& item) {
    const auto entity = database.get({EntityKind::kItem, id});
    if (entity.ok() != item.exists)
        return "item " + std::to_string(id) + (item.exists ? " is gone" : " came back");
    if (!item.exists) return {};
    if (std::get<std::string>(entity->metadata.at(0).second) != item.title)
        return "item " + std::to_string(id) + " has another title";
    return check_counts(database, EntityKind::kItem, id, item.signals);
}

}  // namespace

std::string check_model(api::Database& database, std::span<const ClientModel> clients) {
    std::map<std::uint64_t, std::map<std::string, Counts>> creators;
    for (const ClientModel& client : clients) {
        for (const auto& [id, item] : client.items())
            if (std::string failure = check_item(database, id, item); !failure.empty())
                return failure;
        for (const auto& [id, signals] : client.creators()) {
            for (const auto& [name, counts] : signals) {
                creators[id][name].events += counts.events;
                creators[id][name].weight += counts.weight;
            }
        }
    }
    for (const auto& [id, signals] : creators)
        if (std::string failure = check_counts(database, EntityKind::kCreator, id, signals);
            !failure.empty())
            return failure;
    return {};
}

bool at_rest(api::Database& database) {
    for (const auto& shard : database.stats().shards)
        if (shard.outbox_rows > 0 || shard.applied != shard.proposed) return false;
    return true;
}

}  // namespace tidal::sim
