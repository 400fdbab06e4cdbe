// Random valid schemas for property tests.
#pragma once

#include <rapidcheck.h>

#include "schema/schema.h"

namespace tidal::schema {

inline std::string generate_name(std::size_t i) {
    const std::vector<std::string> words = {"title", "null", "true", "_x", "on", "genres", "a9"};
    return *rc::gen::elementOf(words) + "_" + std::to_string(i);
}

inline std::vector<Window> generate_windows(std::uint8_t mask) {
    std::vector<Window> out;
    for (std::size_t w = 0; w < kWindowCount; ++w)
        if ((mask >> w & 1) != 0) out.push_back(static_cast<Window>(w));
    return out;
}

inline KindSchema generate_kind() {
    KindSchema kind;
    kind.string_ids = *rc::gen::arbitrary<bool>();
    kind.dynamic = *rc::gen::arbitrary<bool>();
    const auto fields = *rc::gen::inRange<std::size_t>(0, 6);
    for (std::size_t i = 0; i < fields; ++i) {
        FieldSpec field;
        field.id = FieldId(static_cast<std::uint16_t>(i));
        field.name = generate_name(i);
        field.type = static_cast<FieldType>(*rc::gen::inRange(0, 10));
        if (field.type == FieldType::kInt && *rc::gen::arbitrary<bool>())
            field.default_value = static_cast<double>(*rc::gen::inRange(-1'000'000, 1'000'000));
        if (field.type == FieldType::kFloat && *rc::gen::arbitrary<bool>())
            field.default_value = *rc::gen::arbitrary<double>();
        if (field.type == FieldType::kText && *rc::gen::arbitrary<bool>())
            field.language = "german";
        if (field.type == FieldType::kText && *rc::gen::arbitrary<bool>())
            field.text = {.k1 = 0.5 * *rc::gen::inRange(0, 6),
                          .b = 0.25 * *rc::gen::inRange(0, 5),
                          .boost = 0.5 * *rc::gen::inRange(1, 9),
                          .stop_words = *rc::gen::container<std::vector<std::string>>(
                              rc::gen::element<std::string>("the", "on", "null", "it's", "9"))};
        kind.fields.push_back(field);
    }
    const auto slots = *rc::gen::inRange<std::size_t>(0, 3);
    for (std::size_t i = 0; i < slots; ++i)
        kind.embeddings.push_back({EmbeddingSlotId(static_cast<std::uint16_t>(i)),
                                   "slot_" + std::to_string(i),
                                   *rc::gen::inRange<std::uint32_t>(1, kDimensionsMax + 1),
                                   static_cast<Metric>(*rc::gen::inRange(0, 3)),
                                   static_cast<VectorStorage>(*rc::gen::inRange(0, 3))});
    return kind;
}

inline SignalSpec generate_signal(std::size_t i) {
    SignalSpec signal;
    signal.id = SignalTypeId(static_cast<std::uint16_t>(i));
    signal.name = generate_name(i);
    signal.polarity = static_cast<Polarity>(*rc::gen::inRange(0, 3));
    signal.decay = static_cast<DecayKind>(*rc::gen::inRange(0, 3));
    if (signal.decay != DecayKind::kPermanent)
        signal.half_life_ms = *rc::gen::inRange<std::int64_t>(1, kHalfLifeMsMax + 1);
    signal.windows = generate_windows(*rc::gen::inRange<std::uint8_t>(1, 64));
    if (*rc::gen::arbitrary<bool>())
        signal.unique = UniqueSpec{static_cast<Window>(*rc::gen::inRange(0, 5))};
    const auto states = *rc::gen::inRange<std::size_t>(0, kStatesMax + 1);
    for (std::size_t s = 0; s < states; ++s)
        signal.sets_state.push_back("state_" + std::to_string(s));
    return signal;
}

inline Schema generate_schema() {
    Schema schema;
    schema.version = SchemaVersion(*rc::gen::inRange<std::uint32_t>(1, 1000));
    for (KindSchema& kind : schema.kinds) kind = generate_kind();
    const auto signals = *rc::gen::inRange<std::size_t>(0, 5);
    for (std::size_t i = 0; i < signals; ++i) schema.signals.push_back(generate_signal(i));
    return schema;
}

}  // namespace tidal::schema
