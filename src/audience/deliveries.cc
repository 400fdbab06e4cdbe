#include "audience/deliveries.h"

#include <algorithm>

#include "audience/internal/hold_row.h"
#include "base/big_endian.h"
#include "base/codec.h"
#include "base/hash.h"

namespace tidal::audience {
namespace {

constexpr std::uint8_t kDeliveryRowVersion = 1;
constexpr std::string_view kDeliveryPrefix = "a/d/";

/// Users in 65,536 parts, each small enough to be gone through whenever one of them is counted.
std::string bucket_of(const EntityId& user) {
    std::string id, out(kDeliveryPrefix);
    append_id(user, &id);
    append_big_endian(hash64(id) >> 48, 2, &out);
    return out;
}

std::string day_prefix(const std::string& bucket, DeliveryDay day) {
    std::string out = bucket;
    append_big_endian(day, 4, &out);
    return out;
}

std::string delivery_row_key(const EntityId& user, const std::string& profile, DeliveryDay day) {
    return user_prefix(day_prefix(bucket_of(user), day), user) + profile;
}

}  // namespace

std::uint32_t Deliveries::Day::delivered() const {
    std::uint32_t out = 0;
    for (const Page& each : pages) out += each.granted;
    return out;
}

std::optional<std::uint32_t> Deliveries::Day::granted(std::uint64_t page) const {
    const auto found = std::ranges::find(pages, page, &Page::page);
    if (found == pages.end()) return std::nullopt;
    return found->granted;
}

std::string encode_deliveries(const Deliveries::Day& day) {
    Encoder out;
    out.u8(kDeliveryRowVersion);
    out.varint(day.pages.size());
    for (const Deliveries::Page& each : day.pages) {
        out.u64(each.page);
        out.varint(each.granted);
    }
    return out.take();
}

Result<Deliveries::Day> decode_deliveries(std::string_view bytes) {
    Decoder in(bytes);
    if (in.u8() != kDeliveryRowVersion) in.fail();
    Deliveries::Day out;
    const std::size_t count = in.count(9);
    if (count == 0 || count > record::kDailyCapMax) in.fail();
    for (std::size_t i = 0; i < count && !in.failed(); ++i) {
        Deliveries::Page& each = out.pages.emplace_back();
        each.page = in.u64();
        const std::uint64_t granted = in.varint();
        if (granted == 0 || granted > record::kDailyCapMax) in.fail();
        each.granted = static_cast<std::uint32_t>(granted);
    }
    TIDAL_TRY(in.finish("deliveries of a day"));
    if (encode_deliveries(out) != bytes)
        return Error(ErrorCode::kCorruption, "deliveries of a day: not as they are written");
    return out;
}

Result<Deliveries::Day> Deliveries::find(const EntityId& user, const std::string& profile,
                                         DeliveryDay day) const {
    TIDAL_ASSIGN(const auto row, store_.get(delivery_row_key(user, profile, day)));
    if (!row) return Day();
    return decode_deliveries(*row);
}

Result<std::uint32_t> Deliveries::grant(const record::DeliveryBody& body, DeliveryDay day,
                                        Day* after) {
    TIDAL_TRY(erase_before(bucket_of(body.user), day));
    TIDAL_ASSIGN(*after, find(body.user, body.profile, day));
    if (const auto before = after->granted(body.page)) return std::min(*before, body.wanted);
    const std::uint32_t delivered = after->delivered();
    const std::uint32_t granted = std::min(body.wanted, body.cap - std::min(body.cap, delivered));
    if (granted == 0) return granted;
    after->pages.push_back({body.page, granted});
    store_.put(delivery_row_key(body.user, body.profile, day), encode_deliveries(*after));
    return granted;
}

Result<void> Deliveries::erase_before(const std::string& bucket, DeliveryDay day) {
    const std::string today = day_prefix(bucket, day);
    std::vector<std::string> keys;
    TIDAL_TRY(store_.scan(bucket, [&](std::string_view key, std::string_view) {
        if (key >= today) return false;
        keys.emplace_back(key);
        return true;
    }));
    for (const std::string& key : keys) store_.erase(key);
    return {};
}

Result<void> Deliveries::erase_user(const EntityId& user) {
    const std::string bucket = bucket_of(user);
    const std::string of_user = user_prefix("", user);
    std::vector<std::string> keys;
    TIDAL_TRY(store_.scan(bucket, [&](std::string_view key, std::string_view) {
        constexpr std::size_t kDayBytes = 4;
        if (key.substr(bucket.size() + kDayBytes).starts_with(of_user)) keys.emplace_back(key);
        return true;
    }));
    for (const std::string& key : keys) store_.erase(key);
    return {};
}

}  // namespace tidal::audience
