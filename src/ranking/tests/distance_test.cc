// distance_km: against places of the globe and a second formula.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cmath>
#include <numbers>

#include "ranking/evaluator.h"
#include "ranking/table_features.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/sample_shard.h"

namespace tidal::ranking {
namespace distance_test {

// Figures of geographiclib's geodesics; a sphere is within 0.6 % of them.
TEST(Distance, IsThatOfTheGlobe) {
    const record::GeoPoint paris{48.8566, 2.3522}, london{51.5074, -0.1278},
        sydney{-33.8688, 151.2093};
    EXPECT_NEAR(distance_km(paris, london), 343.9, 2);
    EXPECT_NEAR(distance_km(paris, sydney), 16960, 100);
    EXPECT_EQ(distance_km(paris, paris), 0);
    EXPECT_NEAR(distance_km({0, 179.5}, {0, -179.5}), 111.2, 0.1);
    EXPECT_NEAR(distance_km({90, 0}, {-90, 77}), std::numbers::pi * kEarthRadiusKm, 1e-6);

    const auto schema = sample_schema();
    SampleShard shard(schema);
    shard.put({.id = EntityId(1), .fields = {{"place", london}}});
    shard.put({.id = EntityId(2)});
    const ShardView view = shard.view();
    TableFeatureSource source(view);
    const auto expr = parse_expression("distance_km(place, 48.8566, param(lon))");
    const auto program = compile({.score = *expr, .definitions = {}, .source = "", .explain = true},
                                 *schema, EntityKind::kItem);
    ASSERT_TRUE(program.ok()) << program.error().to_string();
    const double longitude = 2.3522;
    Evaluator evaluator(*program, source, {.params = {&longitude, 1}});
    EXPECT_EQ(evaluator.explain(Slot(0))->terms[0].value, distance_km(paris, london));
    const auto nowhere = evaluator.explain(Slot(1));
    EXPECT_EQ(nowhere->terms[0].value, 0);
    EXPECT_TRUE(nowhere->terms[0].missing);
}

/// The angle between two vectors from the centre, which is no haversine.
double angle_km(const record::GeoPoint& a, const record::GeoPoint& b) {
    using Vector = std::array<long double, 3>;
    const auto vector = [](const record::GeoPoint& at) {
        constexpr long double kRadians = std::numbers::pi_v<long double> / 180;
        const long double latitude = at.latitude * kRadians, longitude = at.longitude * kRadians;
        return Vector{std::cos(latitude) * std::cos(longitude),
                      std::cos(latitude) * std::sin(longitude), std::sin(latitude)};
    };
    const Vector u = vector(a), v = vector(b);
    const auto cross = [&](std::size_t i, std::size_t j) { return u[i] * v[j] - u[j] * v[i]; };
    const long double sine = std::hypot(cross(0, 1), cross(1, 2), cross(2, 0));
    return static_cast<double>(kEarthRadiusKm *
                               std::atan2(sine, u[0] * v[0] + u[1] * v[1] + u[2] * v[2]));
}

RC_GTEST_PROP(Distance, EqualsTheAngleOfVectors, ()) {
    static const auto schema = sample_schema();
    const auto any = [](int most) {
        return *rc::gen::inRange(-1000 * most, 1000 * most + 1) / 1e3;
    };
    const record::GeoPoint from{any(90), any(180)};
    SampleShard shard(schema);
    std::vector<record::GeoPoint> places;
    std::vector<Slot> slots;
    for (std::uint64_t id = 0; id < 20; ++id) {
        places.push_back({any(90), any(180)});
        // Close by, where the sine is small; and on the other side, where it is small as well.
        const double east = from.longitude + (from.longitude < 0 ? 1e-4 : -1e-4);
        const double far = from.longitude + (from.longitude < 0 ? 179.99 : -179.99);
        if (id % 4 == 0) places.back() = {from.latitude * 0.99999, east};
        if (id % 4 == 1) places.back() = {-from.latitude, far};
        shard.put({.id = EntityId(id), .fields = {{"place", places.back()}}});
        slots.push_back(*shard.entities().find(EntityId(id)));
    }
    const auto expr = parse_expression("distance_km(place, param(lat), param(lon))");
    const auto program =
        compile({.score = *expr, .definitions = {}, .source = ""}, *schema, EntityKind::kItem);
    RC_ASSERT(program.ok());
    const ShardView view = shard.view();
    TableFeatureSource source(view);
    std::vector<double> params;
    for (const std::string& name : program->params)
        params.push_back(name == "lat" ? from.latitude : from.longitude);
    Evaluator evaluator(*program, source, {.params = params});
    const auto scores = evaluator.run(slots);
    RC_ASSERT(scores.ok());
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const double want = angle_km(from, places[i]);
        // Near the antipode the arc sine loses half of the digits: a millimetre.
        const double rounding = want < 19'000 ? 1e-9 * std::max(1.0, want) : 1e-3;
        if (std::abs((*scores)[i] - want) > rounding)
            RC_LOG() << from.latitude << " " << from.longitude << " to " << places[i].latitude
                     << " " << places[i].longitude << "\n";
        RC_ASSERT(std::abs((*scores)[i] - want) <= rounding);
    }
}

}  // namespace distance_test
}  // namespace tidal::ranking
