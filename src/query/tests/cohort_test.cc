#include "query/cohort.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "entity/tests/memory_store.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/transcript.h"

namespace tidal::query {
namespace cohort_test {

constexpr std::string_view kSchema = R"(
items: {ids: u64, fields: {title: text}}
users:
  ids: u64
  fields: {language: keyword, age: int, interests: keywords, home: geo, active: bool}
creators: {ids: u64}
signals:
  view: {polarity: neutral, half_life: 1d, windows: [24h, all]}
  like: {polarity: positive, half_life: 7d, windows: [24h, all]}
  share: {polarity: positive, half_life: 7d, windows: [24h, all]}
)";

std::string in_one_line(const Error& error) {
    return std::string(error.reason()) + ": " + error.to_string();
}

TEST(CohortText, Transcript) {
    const schema::Schema schema = schema::parse_schema(kSchema).value();
    ranking::run_transcript(TIDAL_TESTDATA_DIR "/cohorts.txt", [&](const std::string& input) {
        const auto cohort = parse_cohort(input);
        if (!cohort.ok()) return in_one_line(cohort.error());
        const auto printed = parse_cohort(print_cohort(*cohort));
        EXPECT_TRUE(printed.ok() && *printed == *cohort) << print_cohort(*cohort);
        const auto above =
            parse_cohort("cohort above version 1 { tracks view; where active = TRUE; }");
        const auto bound = Cohorts::bind({*above, *cohort}, schema);
        if (!bound.ok()) return in_one_line(bound.error());
        const std::string text = print_cohort(*cohort);
        return text.substr(0, text.size() - 1);
    });
}

Cohort cohort(const std::string& name, const std::string& where, const std::string& more = "") {
    const std::string text =
        "cohort " + name + " version 1 { tracks view, like; where " + where + "; " + more + " }";
    auto out = parse_cohort(text);
    EXPECT_TRUE(out.ok()) << out.error().to_string();
    return std::move(*out);
}

class Members : public testing::Test {
protected:
    Members() {
        store_ = std::make_unique<entity::MemoryStore>();
        users_ = entity::EntityTable::open(EntityKind::kUser, *store_, schema_).value();
    }
    void put(std::uint64_t id, std::map<std::string, record::Value> fields) {
        record::UpsertBody body;
        body.kind = EntityKind::kUser;
        body.id = EntityId(id);
        for (auto& [name, value] : fields)
            body.fields.push_back({schema_->find_field(EntityKind::kUser, name)->id, value});
        ASSERT_TRUE(users_->upsert(body, HybridTime::from(++stamp_, 0)).ok());
    }
    /// The names of the cohorts of a user that count a signal, in the order of names.
    std::string of(std::uint64_t user, std::string_view signal = "view") {
        std::string out;
        const auto ids =
            cohorts_.of(*users_, *users_->find(EntityId(user)), schema_->find_signal(signal)->id);
        EXPECT_TRUE(std::ranges::is_sorted(ids));
        for (const BoundCohort& each : cohorts_.all())
            if (std::ranges::find(ids, each.id) != ids.end()) out += each.cohort.name + " ";
        return out;
    }
    void bind(std::vector<Cohort> cohorts) {
        auto bound = Cohorts::bind(std::move(cohorts), *schema_);
        ASSERT_TRUE(bound.ok()) << bound.error().to_string();
        cohorts_ = std::move(*bound);
    }

    std::shared_ptr<const schema::Schema> schema_ =
        std::make_shared<const schema::Schema>(schema::parse_schema(kSchema).value());
    std::unique_ptr<entity::MemoryStore> store_;
    std::unique_ptr<entity::EntityTable> users_;
    Cohorts cohorts_;
    UnixMillis stamp_ = 1;
};

TEST_F(Members, MatchAndAreWithinTheParent) {
    put(1, {{"language", std::string("fr")}, {"age", std::int64_t{20}}});
    put(2, {{"language", std::string("de")}, {"age", std::int64_t{20}}});
    put(3, {{"age", std::int64_t{50}}});
    bind({cohort("young", "age < 30"), cohort("french", "language = 'fr'"),
          cohort("young_french", "age < 30", "parent french;"),
          cohort("a_first", "age < 25", "parent young_french;")});
    EXPECT_EQ(of(1), "a_first french young young_french ");
    EXPECT_EQ(of(2), "young ");
    EXPECT_EQ(of(3), "");
    EXPECT_EQ(of(1, "share"), "");
    EXPECT_TRUE(cohorts_.track(schema_->find_signal("like")->id));
    EXPECT_FALSE(cohorts_.track(schema_->find_signal("share")->id));
    EXPECT_EQ(cohorts_.find("young_french")->parent, cohorts_.find("french"));
    EXPECT_EQ(cohorts_.find("you"), nullptr);
}

TEST_F(Members, AreInEightAtMostParentsFirst) {
    put(1, {{"age", std::int64_t{20}}});
    std::vector<Cohort> all{cohort("z", "age = 20")};
    for (int i = 0; i < 9; ++i)
        all.push_back(cohort("c" + std::to_string(i), "age = 20", "parent z;"));
    bind(std::move(all));
    EXPECT_EQ(of(1), "c0 c1 c2 c3 c4 c5 c6 z ");
}

TEST_F(Members, OfALineThatIsTooLongOrACircleAreRefused) {
    std::vector<Cohort> line{cohort("c0", "age = 20")};
    for (int i = 1; i < 9; ++i)
        line.push_back(
            cohort("c" + std::to_string(i), "age = 20", "parent c" + std::to_string(i - 1) + ";"));
    EXPECT_EQ(Cohorts::bind(line, *schema_).error().reason(), "cohort_too_deep");
    line.pop_back();
    EXPECT_TRUE(Cohorts::bind(line, *schema_).ok());
    EXPECT_EQ(
        Cohorts::bind({cohort("a", "age = 1", "parent b;"), cohort("b", "age = 1", "parent a;")},
                      *schema_)
            .error()
            .reason(),
        "cohort_too_deep");
}

TEST_F(Members, OfAVersionHaveLedgersOfItsOwn) {
    Cohort next = cohort("young", "age < 30");
    next.version = 2;
    bind({cohort("young", "age < 30")});
    const CohortId first = cohorts_.find("young")->id;
    bind({next});
    EXPECT_NE(cohorts_.find("young")->id, first);
}

}  // namespace cohort_test
}  // namespace tidal::query
