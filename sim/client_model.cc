#include "sim/client_model.h"

#include <algorithm>

namespace tidal::sim {

const std::vector<api::Write>& ClientModel::current(std::string* key) {
    if (current_.empty()) {
        ++writes_;
        key_ = "client-" + std::to_string(number_) + "-" + std::to_string(writes_);
        choose();
    }
    *key = key_;
    return current_;
}

void ClientModel::choose() {
    const std::uint64_t id =
        static_cast<std::uint64_t>(number_) * 1'000'000 + random_->below(kItems);
    const ItemModel& item = items_[id];
    if (item.exists && random_->below(10) < 8) {
        if (choose_undo()) return;
        return burst_max_ > 1 && random_->below(3) == 0 ? choose_burst() : choose_signal(id);
    }
    if (item.exists && random_->below(8) == 0) {
        current_.emplace_back(api::EntityDelete{EntityKind::kItem, id, std::nullopt});
        return;
    }
    api::EntityWrite write;
    write.id = id;
    write.metadata = {{"title", "title " + std::to_string(random_->below(1000))},
                      {"category", std::string(random_->below(2) == 0 ? "music" : "film")},
                      {"year", std::int64_t(1950 + random_->below(70))}};
    // An item keeps its creator: the model counts what each signal reached.
    if (!item.exists) write.creator_id = api::IdInput(1 + random_->below(kCreators));
    current_.emplace_back(std::move(write));
}

bool ClientModel::choose_undo() {
    if (undoable_.empty() || random_->below(12) != 0) return false;
    const auto& [key, signal] = undoable_.back();
    current_.emplace_back(api::SignalUndo{signal.id, key, ""});
    return true;
}

void ClientModel::choose_signal(std::uint64_t id) {
    constexpr const char* names[] = {"view", "like", "skip", "share"};
    api::SignalWrite write;
    write.id = id;
    write.signal = names[random_->below(4)];
    write.weight = static_cast<double>(random_->below(64)) / 16;
    write.user_id = api::IdInput(random_->below(40));
    write.idempotency_key = key_;
    if (!current_.empty()) write.idempotency_key += "-" + std::to_string(current_.size());
    current_.emplace_back(std::move(write));
}

void ClientModel::choose_burst() {
    std::vector<std::uint64_t> there;
    for (const auto& [id, item] : items_)
        if (item.exists) there.push_back(id);
    for (std::uint64_t signals = 2 + random_->below(burst_max_ - 1); signals > 0; --signals)
        choose_signal(there[random_->below(there.size())]);
}

std::int64_t ClientModel::uncertain(std::uint64_t item) const {
    return std::ranges::count_if(current_, [&](const api::Write& write) {
        const auto* const signal = std::get_if<api::SignalWrite>(&write);
        const auto* const undo = std::get_if<api::SignalUndo>(&write);
        return (signal != nullptr && signal->id == api::IdInput(item)) ||
               (undo != nullptr && undo->id == api::IdInput(item));
    });
}

void ClientModel::count(std::uint64_t id, const api::SignalWrite& signal, int sign) {
    for (Counts* counts :
         {&items_[id].signals[signal.signal], &creators_[items_[id].creator][signal.signal]}) {
        counts->events += sign;
        counts->weight += sign * signal.weight;
    }
}

bool ClientModel::erases(std::uint64_t item) const {
    return std::ranges::any_of(current_, [&](const api::Write& write) {
        const auto* const erase = std::get_if<api::EntityDelete>(&write);
        return erase != nullptr && erase->id == api::IdInput(item);
    });
}

void ClientModel::acknowledged() {
    for (const api::Write& write : current_) take(write);
    current_.clear();
}

void ClientModel::take(const api::Write& took_effect) {
    if (const auto* write = std::get_if<api::EntityWrite>(&took_effect)) {
        ItemModel& item = items_[std::get<std::uint64_t>(write->id)];
        item.exists = true;
        item.title = std::get<std::string>(write->metadata[0].second);
        if (write->creator_id) item.creator = std::get<std::uint64_t>(**write->creator_id);
    } else if (const auto* erase = std::get_if<api::EntityDelete>(&took_effect)) {
        items_[std::get<std::uint64_t>(erase->id)] = ItemModel();
        std::erase_if(undoable_, [&](const auto& entry) { return entry.second.id == erase->id; });
    } else if (const auto* signal = std::get_if<api::SignalWrite>(&took_effect)) {
        count(std::get<std::uint64_t>(signal->id), *signal, 1);
        undoable_.emplace_back(signal->idempotency_key, *signal);
    } else {
        const auto entry = undoable_.back();
        undoable_.pop_back();
        count(std::get<std::uint64_t>(entry.second.id), entry.second, -1);
    }
}

}  // namespace tidal::sim
