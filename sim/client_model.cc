#include "sim/client_model.h"

namespace tidal::sim {

const api::Write& ClientModel::current(std::string* key) {
    if (!current_) {
        ++writes_;
        key_ = "client-" + std::to_string(number_) + "-" + std::to_string(writes_);
        choose();
    }
    *key = key_;
    return *current_;
}

void ClientModel::choose() {
    const std::uint64_t id =
        static_cast<std::uint64_t>(number_) * 1'000'000 + random_->below(kItems);
    const ItemModel& item = items_[id];
    if (item.exists && random_->below(10) < 8) return choose_signal(id);
    if (item.exists && random_->below(8) == 0) {
        current_ = api::EntityDelete{EntityKind::kItem, id, std::nullopt};
        return;
    }
    api::EntityWrite write;
    write.id = id;
    write.metadata = {{"title", "title " + std::to_string(random_->below(1000))},
                      {"category", std::string(random_->below(2) == 0 ? "music" : "film")},
                      {"year", std::int64_t(1950 + random_->below(70))}};
    // An item keeps its creator: the model counts what each signal reached.
    if (!item.exists) write.creator_id = api::IdInput(1 + random_->below(kCreators));
    current_ = std::move(write);
}

void ClientModel::choose_signal(std::uint64_t id) {
    if (!undoable_.empty() && random_->below(12) == 0) {
        const auto& [key, signal] = undoable_.back();
        current_ = api::SignalUndo{signal.id, key, ""};
        return;
    }
    constexpr const char* names[] = {"view", "like", "skip", "share"};
    api::SignalWrite write;
    write.id = id;
    write.signal = names[random_->below(4)];
    write.weight = static_cast<double>(random_->below(64)) / 16;
    write.user_id = api::IdInput(random_->below(40));
    current_ = std::move(write);
}

void ClientModel::count(std::uint64_t id, const api::SignalWrite& signal, int sign) {
    for (Counts* counts :
         {&items_[id].signals[signal.signal], &creators_[items_[id].creator][signal.signal]}) {
        counts->events += sign;
        counts->weight += sign * signal.weight;
    }
}

void ClientModel::acknowledged() {
    if (const auto* write = std::get_if<api::EntityWrite>(&*current_)) {
        ItemModel& item = items_[std::get<std::uint64_t>(write->id)];
        item.exists = true;
        item.title = std::get<std::string>(write->metadata[0].second);
        if (write->creator_id) item.creator = std::get<std::uint64_t>(**write->creator_id);
    } else if (const auto* erase = std::get_if<api::EntityDelete>(&*current_)) {
        items_[std::get<std::uint64_t>(erase->id)] = ItemModel();
        std::erase_if(undoable_, [&](const auto& entry) { return entry.second.id == erase->id; });
    } else if (const auto* signal = std::get_if<api::SignalWrite>(&*current_)) {
        count(std::get<std::uint64_t>(signal->id), *signal, 1);
        undoable_.emplace_back(key_, *signal);
    } else {
        const auto entry = undoable_.back();
        undoable_.pop_back();
        count(std::get<std::uint64_t>(entry.second.id), entry.second, -1);
    }
    current_.reset();
}

}  // namespace tidal::sim
