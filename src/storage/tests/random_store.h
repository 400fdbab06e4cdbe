// A store with a history: random rows and pages over several checkpoints.
#pragma once

#include "runtime/seeded_random.h"
#include "storage/tests/store_fixture.h"

namespace tidal::storage {

/// Changes `store` at random, with checkpoints on the way and at the end; what it then holds. Some
/// rows and pages are gone again, some page files half dead.
inline Model random_history(ShardStore& store, std::uint64_t seed, int checkpoints) {
    runtime::SeededRandom random(seed);
    Model model = contents_of(store);
    for (int i = 0; i < checkpoints; ++i) {
        for (std::uint64_t change = 5 + random.below(60); change > 0; --change) {
            const std::string key = "k" + std::to_string(random.below(50));
            const std::uint64_t page = random.below(12);
            switch (random.below(5)) {
                case 0:
                    store.erase(key);
                    model.rows.erase(key);
                    break;
                case 1:
                case 2:
                    model.rows[key] = std::string(random.below(30) * random.below(30),
                                                  static_cast<char>('a' + random.below(26)));
                    store.put(key, model.rows[key]);
                    break;
                case 3:
                    if (store.pages().allocated(PageId(static_cast<std::uint32_t>(page)))) {
                        store.pages().free(PageId(static_cast<std::uint32_t>(page)));
                        model.pages.erase(static_cast<std::uint32_t>(page));
                    }
                    break;
                default: {
                    PageId id(static_cast<std::uint32_t>(page));
                    if (!store.pages().allocated(id)) id = must(store.pages().allocate());
                    model.pages[id.value()] = random.u64();
                    fill(store.pages(), id, model.pages[id.value()]);
                }
            }
        }
        model.index = LogIndex(model.index.value() + 1 + random.below(9));
        must(checkpoint(store, model.index));
    }
    return model;
}

}  // namespace tidal::storage
