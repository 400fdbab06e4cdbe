// schema/internal/names.h: the spelling of every enumeration, in enumerator order.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "schema/schema.h"

namespace tidal::schema {

template <typename E>
struct Names;
template <>
struct Names<FieldType> {
    static constexpr std::array<std::string_view, 10> value{
        "text", "keyword",   "keywords", "int", "float",
        "bool", "timestamp", "duration", "geo", "json"};
};
template <>
struct Names<Metric> {
    static constexpr std::array<std::string_view, 3> value{"cosine", "l2", "dot"};
};
template <>
struct Names<VectorStorage> {
    static constexpr std::array<std::string_view, 3> value{"f32", "f16", "int8"};
};
template <>
struct Names<Polarity> {
    static constexpr std::array<std::string_view, 3> value{"positive", "negative", "neutral"};
};
template <>
struct Names<DecayKind> {
    static constexpr std::array<std::string_view, 3> value{"exponential", "linear", "permanent"};
};
template <>
struct Names<Window> {
    static constexpr std::array<std::string_view, kWindowCount> value{"1h",  "24h",  "7d",
                                                                      "30d", "365d", "all"};
};
template <>
struct Names<EntityKind> {
    static constexpr std::array<std::string_view, kEntityKindCount> value{"item", "user",
                                                                          "creator"};
};

template <typename E>
std::string_view name_of(E e) {
    return Names<E>::value[static_cast<std::size_t>(e)];
}
template <typename E>
std::optional<E> from_name(std::string_view name) {
    for (std::size_t i = 0; i < Names<E>::value.size(); ++i)
        if (Names<E>::value[i] == name) return static_cast<E>(i);
    return std::nullopt;
}

/// Top-level YAML key of a kind.
inline constexpr std::array<std::string_view, kEntityKindCount> kKindKeys{"items", "users",
                                                                          "creators"};

}  // namespace tidal::schema
