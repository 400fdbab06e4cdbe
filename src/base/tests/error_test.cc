#include "base/error.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "base/result.h"

namespace tidal {
namespace error_test {

TEST(ErrorTable, IsIndexedByCode) {
    std::size_t index = 0;
    for (const auto& row : error_table()) {
        EXPECT_EQ(static_cast<std::size_t>(row.code), index++);
        EXPECT_EQ(error_info(row.code).name, row.name);
    }
    EXPECT_EQ(error_table().back().code, ErrorCode::kInternal);
}

TEST(ErrorTable, NamesAreUniqueAndRowsWellFormed) {
    std::set<std::string_view> names;
    for (const auto& row : error_table()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        EXPECT_FALSE(row.advice.empty()) << row.name;
        EXPECT_EQ(row.sqlstate.size(), 5U) << row.name;
        EXPECT_GE(row.http_status, 400) << row.name;
        EXPECT_LT(row.http_status, 600) << row.name;
    }
}

TEST(Error, OneLineNamesWhatWhereAndWhatWouldBeRight) {
    const Error error = Error(ErrorCode::kUnknownName, "unknown signal 'lke'")
                            .with_field("signals[2].type")
                            .with("line", 7)
                            .with_hint("did you mean 'like'?")
                            .with_reason("unknown_signal");
    EXPECT_EQ(error.to_string(),
              "unknown signal 'lke' (field signals[2].type), line=7; did you mean 'like'?");
    EXPECT_EQ(error.reason(), "unknown_signal");
    EXPECT_EQ(Error(ErrorCode::kIo, "x").reason(), "io_error");
}

void expect_nothing_in(const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_EQ(error.message() + error.field() + error.hint(), "");
    EXPECT_EQ(error.reason(), "internal");
    EXPECT_TRUE(error.context().empty());
    EXPECT_EQ(error.to_string(), "");
}

Error full_error() {
    return Error(ErrorCode::kIo, "cannot lock")
        .with("pid", 7)
        .with_field("path")
        .with_hint("stop the other")
        .with_reason("locked");
}

TEST(Error, MovedFromReadsAsNothingAndCanBeCopied) {
    Error error = full_error();
    const std::string text = error.to_string();
    const Error taken = std::move(error);
    EXPECT_EQ(taken.to_string(), text);
    EXPECT_EQ(taken.reason(), "locked");
    expect_nothing_in(error);
    const Error copy = error;
    expect_nothing_in(copy);
    Error assigned = full_error();
    assigned = copy;
    expect_nothing_in(assigned);
    error = taken;
    EXPECT_EQ(error.to_string(), text);
    EXPECT_EQ(taken.to_string(), text) << "a copy takes nothing away";
}

TEST(Error, AssignedToItselfStaysWhatItIs) {
    Error error = full_error();
    const std::string text = error.to_string();
    const Error& itself = error;
    error = itself;
    EXPECT_EQ(error.to_string(), text);
    const Error taken = std::move(error);
    error = itself;
    expect_nothing_in(error);
    EXPECT_EQ(taken.to_string(), text);
}

Result<int> half(int number) {
    if (number % 2 != 0) return Error(ErrorCode::kInvalidArgument, "odd");
    return number / 2;
}

Result<int> quarter(int number) {
    TIDAL_ASSIGN(const int once, half(number));
    TIDAL_TRY(half(once));
    return once / 2;
}

TEST(Error, TakesContextInPlace) {
    Error error(ErrorCode::kIo, "cannot lock");
    error.with("pid", 7).with("file", "LOCK");
    EXPECT_EQ(error.to_string(), "cannot lock, pid=7, file=LOCK");
}

RC_GTEST_PROP(Result, CarriesAValueOrAnError, ()) {
    const int number = *rc::gen::inRange(-1000, 1000);
    const auto result = quarter(number);
    RC_ASSERT(result.ok() == (number % 4 == 0));
    if (result) {
        RC_ASSERT(*result == number / 4);
    } else {
        RC_ASSERT(result.error().code() == ErrorCode::kInvalidArgument);
    }
}

}  // namespace error_test
}  // namespace tidal
