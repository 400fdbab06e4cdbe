// ranking/tests/sample_schema.h: a schema with every type of field and polarity.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "schema/schema.h"

namespace tidal::ranking {

inline constexpr std::string_view kSampleSchema = R"(
items:
  fields:
    title: text
    category: keyword
    genres: keywords
    year: int
    quality: {type: float, default: 0.5}
    price: float
    featured: bool
    released: timestamp
    length: duration
    place: geo
    extra: json
  embeddings:
    cover: {dimensions: 4}
users:
  fields:
    language: keyword
    karma: int
creators:
  fields:
    name: text
    rank: int
signals:
  view: {polarity: neutral, half_life: 1d, unique: 24h}
  like: {polarity: positive, half_life: 7d}
  share: {polarity: positive, half_life: 7d, unique: 7d}
  comment: {polarity: positive, half_life: 7d}
  dislike: {polarity: negative, half_life: 7d}
  skip: {polarity: negative, half_life: 1d}
)";

inline std::shared_ptr<const schema::Schema> sample_schema(std::string_view yaml = kSampleSchema) {
    auto parsed = schema::parse_schema(yaml);
    if (!parsed) {
        ADD_FAILURE() << parsed.error().to_string();
        return nullptr;
    }
    return std::make_shared<const schema::Schema>(std::move(parsed).value());
}

}  // namespace tidal::ranking
