#include "storage/row_engine.h"

#include <algorithm>

namespace tidal::storage {
namespace {

class VectorSource final : public RowEngine::Source {
public:
    explicit VectorSource(const std::vector<RowEngine::Change>& changes) : changes_(changes) {}

    bool next(std::string_view& key, std::optional<std::string_view>& value) override {
        // Of equal keys the last one stands.
        while (at_ + 1 < changes_.size() && changes_[at_].key == changes_[at_ + 1].key) ++at_;
        if (at_ == changes_.size()) return false;
        key = changes_[at_].key;
        value = changes_[at_].value;
        ++at_;
        return true;
    }

private:
    const std::vector<RowEngine::Change>& changes_;
    std::size_t at_ = 0;
};

}  // namespace

Result<void> RowEngine::commit(std::vector<Change> changes) {
    std::stable_sort(changes.begin(), changes.end(),
                     [](const Change& a, const Change& b) { return a.key < b.key; });
    VectorSource source(changes);
    return commit(source);
}

}  // namespace tidal::storage
