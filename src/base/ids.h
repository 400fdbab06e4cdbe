// base/ids.h: one type per kind of number, so that swapped arguments do not compile.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace tidal {

/// A number of one kind. No arithmetic but ++; `value()` says where the meaning is dropped on
/// purpose.
template <typename Tag, typename Number>
class Id {
public:
    using number_type = Number;
    constexpr Id() = default;
    constexpr explicit Id(Number value) : value_(value) {}
    constexpr Number value() const { return value_; }
    constexpr auto operator<=>(const Id&) const = default;
    constexpr Id next() const { return Id(static_cast<Number>(value_ + 1)); }

    template <typename H>
    friend H AbslHashValue(H h, Id id) {
        return H::combine(std::move(h), id.value_);
    }

private:
    Number value_ = 0;
};

using TenantId = Id<struct TenantTag, std::uint32_t>;
using RegionId = Id<struct RegionTag, std::uint16_t>;          ///< Counts from 1.
using ShardId = Id<struct ShardTag, std::uint16_t>;            ///< 0 = metadata, data from 1.
using Incarnation = Id<struct IncarnationTag, std::uint32_t>;  ///< Raised by restore and split.
using VShard = Id<struct VShardTag, std::uint16_t>;            ///< 0 .. kVShardCount - 1.
using Term = Id<struct TermTag, std::uint64_t>;
using LogIndex = Id<struct LogIndexTag, std::uint64_t>;  ///< First record is 1; 0 = none.
using Epoch = Id<struct EpochTag, std::uint32_t>;        ///< Version of the routing table.
using SchemaVersion = Id<struct SchemaVersionTag, std::uint32_t>;
using ApplyVersion = Id<struct ApplyVersionTag, std::uint16_t>;
using SignalTypeId = Id<struct SignalTypeTag, std::uint16_t>;  ///< Dense, never reused.
using FieldId = Id<struct FieldTag, std::uint16_t>;            ///< Dense per kind, never reused.
using EmbeddingSlotId = Id<struct EmbeddingSlotTag, std::uint16_t>;
using Slot = Id<struct SlotTag, std::uint32_t>;  ///< Dense per shard and kind.
using CohortId = Id<struct CohortTag, std::uint32_t>;
using CollectionId = Id<struct CollectionTag, std::uint64_t>;

inline constexpr std::uint16_t kVShardCount = 1024;
inline constexpr TenantId kDefaultTenant{0};
inline constexpr RegionId kFirstRegion{1};
inline constexpr ShardId kMetaShard{0};

enum class EntityKind : std::uint8_t { kItem = 0, kUser = 1, kCreator = 2 };
inline constexpr std::size_t kEntityKindCount = 3;
constexpr std::string_view entity_kind_name(EntityKind kind) {
    constexpr std::string_view names[] = {"item", "user", "creator"};
    return names[static_cast<std::size_t>(kind)];
}

/// What an application calls an entity: an unsigned 64-bit number, or (where the schema says so)
/// a string of 1..255 bytes. Numbers order before strings; every value is legal.
class EntityId {
public:
    EntityId() = default;
    explicit EntityId(std::uint64_t number) : number_(number) {}
    explicit EntityId(std::string text) : text_(std::move(text)), is_text_(true) {}

    // Most are numbers, which are copied and moved by the dozen for a page: without their text.
    EntityId(const EntityId& other) : number_(other.number_), is_text_(other.is_text_) {
        if (is_text_) text_ = other.text_;
    }
    EntityId(EntityId&& other) noexcept : number_(other.number_), is_text_(other.is_text_) {
        if (is_text_) text_ = std::move(other.text_);
    }
    EntityId& operator=(const EntityId& other) {
        number_ = other.number_;
        if (is_text_ || other.is_text_) text_ = other.text_;
        is_text_ = other.is_text_;
        return *this;
    }
    EntityId& operator=(EntityId&& other) noexcept {
        number_ = other.number_;
        if (is_text_ || other.is_text_) text_ = std::move(other.text_);
        is_text_ = other.is_text_;
        return *this;
    }
    ~EntityId() = default;

    bool is_text() const { return is_text_; }
    std::uint64_t number() const { return number_; }
    const std::string& text() const { return text_; }
    std::string to_string() const { return is_text_ ? text_ : std::to_string(number_); }

    bool operator==(const EntityId& other) const {
        return number_ == other.number_ && is_text_ == other.is_text_ &&
               (!is_text_ || text_ == other.text_);
    }
    std::strong_ordering operator<=>(const EntityId& other) const {
        if (is_text_ != other.is_text_) return is_text_ <=> other.is_text_;
        if (!is_text_) return number_ <=> other.number_;
        return text_.compare(other.text_) <=> 0;
    }

    template <typename H>
    friend H AbslHashValue(H h, const EntityId& id) {
        return id.is_text_ ? H::combine(std::move(h), id.text_)
                           : H::combine(std::move(h), id.number_);
    }

private:
    std::uint64_t number_ = 0;  ///< 0 of a text.
    std::string text_;          ///< Empty of a number.
    bool is_text_ = false;
};

}  // namespace tidal

template <typename Tag, typename Number>
struct std::hash<tidal::Id<Tag, Number>> {
    std::size_t operator()(tidal::Id<Tag, Number> id) const noexcept {
        return std::hash<Number>{}(id.value());
    }
};
