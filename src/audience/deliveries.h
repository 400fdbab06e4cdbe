// audience/deliveries.h: what the users of one shard were shown today under profiles with a daily
// cap. Why it counts before a page is answered: docs/decisions/0043-daily-caps.md. Format:
// docs/formats/audience_rows.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "record/record.h"
#include "storage/shard_store.h"

namespace tidal::audience {

/// Days since 1970 in UTC.
using DeliveryDay = std::uint32_t;
inline constexpr UnixMillis kDeliveryDayMs = 86'400'000;
constexpr DeliveryDay delivery_day(UnixMillis at_ms) {
    return at_ms < 0 ? 0 : static_cast<DeliveryDay>(at_ms / kDeliveryDayMs);
}

/// Rows are all there is: nothing is in memory. A row is of one user, profile and day and has what
/// each page was granted, at most as many pages as the cap; those of days before go when a user of
/// the same 2^-16 of all users is counted. Errors are the store's. Threads: one at a time.
class Deliveries {
public:
    struct Page {
        std::uint64_t page = 0;
        std::uint32_t granted = 0;  ///< At least 1.
        bool operator==(const Page&) const = default;
    };
    /// Of one user, profile and day.
    struct Day {
        std::vector<Page> pages;  ///< As they came.
        std::uint32_t delivered() const;
        /// nullopt = it was not granted anything.
        std::optional<std::uint32_t> granted(std::uint64_t page) const;
    };

    explicit Deliveries(storage::ShardStore& store) : store_(store) {}

    Result<Day> find(const EntityId& user, const std::string& profile, DeliveryDay day) const;
    /// Grants what the cap leaves, which may be nothing; a page that was granted some before, at
    /// most that, which is not counted again.
    /// @param day  Of the record's stamp; never falls.
    Result<std::uint32_t> grant(const record::DeliveryBody& body, DeliveryDay day, Day* after);
    /// Everything of a user.
    Result<void> erase_user(const EntityId& user);

private:
    Result<void> erase_before(const std::string& bucket, DeliveryDay day);

    storage::ShardStore& store_;
};

std::string encode_deliveries(const Deliveries::Day& day);
/// kCorruption for what encode_deliveries() does not write.
Result<Deliveries::Day> decode_deliveries(std::string_view bytes);

}  // namespace tidal::audience
