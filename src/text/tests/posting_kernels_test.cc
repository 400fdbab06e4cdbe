// What is done to many postings at once against the same done to one after the other.
#include "text/internal/posting_kernels.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "text/internal/posting_block.h"

namespace tidal::text {
namespace posting_kernels_test {

/// Of so many postings, with gaps, now and then long texts and frequent words.
struct Sample {
    PostingBlock block;
    std::vector<std::uint32_t> slots, frequencies, lengths;
};

Sample random_block(std::uint32_t gap_max) {
    Sample out;
    const auto count = *rc::gen::inRange<std::uint32_t>(1, kBlockPostings + 1);
    const bool often = *rc::gen::inRange(0, 4) == 0;
    auto slot = *rc::gen::inRange<std::uint32_t>(0, 1'000'000);
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto frequency = *rc::gen::inRange<std::uint32_t>(1, often ? 300 : 4);
        const std::vector<std::uint32_t> positions(frequency, 1);
        out.slots.push_back(slot);
        out.frequencies.push_back(frequency);
        out.lengths.push_back(*rc::gen::inRange<std::uint32_t>(1, 300));
        out.block.append({slot, positions, out.lengths.back()});
        slot += *rc::gen::inRange<std::uint32_t>(1, gap_max + 1);
    }
    return out;
}

RC_GTEST_PROP(PostingKernels, FindsEachSlotThatIsThereAndNoOther, ()) {
    const Sample sample = random_block(*rc::gen::element<std::uint32_t>(1, 3, 100, 510, 5'000));
    const std::set<std::uint32_t> there(sample.slots.begin(), sample.slots.end());
    std::set<std::uint32_t> asked;
    const auto many = *rc::gen::inRange<std::size_t>(1, kBlockPostings + 1);
    for (std::size_t i = 0; i < many; ++i)
        asked.insert(
            *rc::gen::inRange<std::uint32_t>(sample.block.first(), sample.block.last() + 1));
    for (const std::uint32_t slot : sample.slots)
        if (asked.size() < kBlockPostings && *rc::gen::inRange(0, 2) == 0) asked.insert(slot);
    const std::vector<std::uint32_t> slots(asked.begin(), asked.end());
    std::vector<kernels::Met> met(slots.size());
    met.resize(sample.block.find(slots, met.data()));
    std::vector<std::uint32_t> found, wanted;
    for (const auto& [which, place] : met) {
        found.push_back(slots[which]);
        RC_ASSERT(sample.slots[place] == slots[which]);
    }
    std::ranges::copy_if(slots, std::back_inserter(wanted),
                         [&](std::uint32_t slot) { return there.contains(slot); });
    RC_ASSERT(found == wanted);
}

RC_GTEST_PROP(PostingKernels, ScoresAreThoseOfOnePostingToTheLastBit, ()) {
    const Sample sample = random_block(100);
    const Bm25Options options{.k1 = *rc::gen::element(0.0, 0.9, 1.2), .b = 0.75};
    const Bm25 scoring(options, 1'000, 40'000, 77);
    const auto begin = *rc::gen::inRange<std::uint32_t>(0, sample.block.count());
    const auto end = *rc::gen::inRange<std::uint32_t>(begin + 1, sample.block.count() + 1);
    std::array<double, kBlockPostings> out{};
    bool long_texts = false;
    const bool found = sample.block.scores(scoring, begin, end, out.data());
    for (std::uint32_t at = begin; at < end; ++at) {
        long_texts = long_texts || sample.lengths[at] >= kLengthMax;
        if (sample.lengths[at] >= kLengthMax) continue;
        const double wanted = scoring.score(sample.frequencies[at], sample.lengths[at]);
        RC_ASSERT(std::bit_cast<std::uint64_t>(out[at - begin]) ==
                  std::bit_cast<std::uint64_t>(wanted));
    }
    RC_ASSERT(found == long_texts);
}

RC_GTEST_PROP(PostingKernels, PassesWhatOneOfTheStepsAllows, ()) {
    const Sample sample = random_block(100);
    PostingLimits limits;
    limits.size = *rc::gen::inRange<std::uint32_t>(0, PostingLimits::kStepsMax + 1);
    for (std::uint32_t i = 0; i < limits.size; ++i)
        limits.steps[i] = {*rc::gen::inRange<std::uint8_t>(1, 9),
                           *rc::gen::element<std::uint8_t>(0, 1, 50, 127, 128, 200, 254, 255)};
    const PostingBits bits = sample.block.passing(limits);
    for (std::uint32_t at = 0; at < kBlockPostings; ++at) {
        bool wanted = false;
        for (std::uint32_t i = 0; i < limits.size && at < sample.block.count(); ++i)
            wanted =
                wanted || (sample.frequencies[at] >= limits.steps[i].frequency_min &&
                           std::min(sample.lengths[at], kLengthMax) <= limits.steps[i].length_max);
        RC_ASSERT((bits[at / 64] >> (at % 64) & 1) == (wanted ? 1U : 0U));
    }
}

RC_GTEST_PROP(PostingKernels, SumsThatReachWhatIsNeeded, ()) {
    constexpr std::size_t kSums = 192;
    std::vector<double> sums(kSums);
    for (double& sum : sums) sum = *rc::gen::element(-0.0, 0.0, 0.5, 1.0, 2.5, 1e-300, 1e300);
    const double least = *rc::gen::element(0.0, 1e-300, 0.5, 1.0, 2.0);
    std::array<std::uint64_t, kSums / 64> bits{};
    kernels::at_least(sums, least, bits.data());
    for (std::size_t i = 0; i < kSums; ++i)
        RC_ASSERT((bits[i / 64] >> (i % 64) & 1) ==
                  (!std::signbit(sums[i]) && sums[i] >= least ? 1U : 0U));
}

}  // namespace posting_kernels_test
}  // namespace tidal::text
