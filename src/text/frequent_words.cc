#include "text/internal/frequent_words.h"

#include <bit>

namespace tidal::text {

std::size_t FrequentWords::class_of(std::uint32_t documents) {
    const auto width = static_cast<std::size_t>(std::bit_width(documents));
    return width < 2 ? 0 : width - 1;
}

FrequentWords::Class& FrequentWords::at(std::size_t frequency_class) {
    if (classes_.size() < frequency_class) classes_.resize(frequency_class);
    return classes_[frequency_class - 1];
}

void FrequentWords::open(const std::vector<std::uint32_t>& documents) {
    classes_.clear();
    base_words_ = static_cast<std::uint32_t>(documents.size());
    std::vector<std::vector<std::uint32_t>> numbers;
    for (std::uint32_t word = 0; word < base_words_; ++word) {
        const std::size_t of = class_of(documents[word]);
        if (of == 0) continue;
        if (numbers.size() < of) numbers.resize(of);
        numbers[of - 1].push_back(word);
    }
    for (std::size_t i = 0; i < numbers.size(); ++i)
        at(i + 1).base.addMany(numbers[i].size(), numbers[i].data());
}

void FrequentWords::move(std::uint32_t number, std::string_view word, std::uint32_t before,
                         std::uint32_t after) {
    const std::size_t from = class_of(before), to = class_of(after);
    const bool of_base = number < base_words_;
    if (from != 0 && of_base) at(from).base.remove(number);
    if (from != 0 && !of_base) at(from).fresh.erase(word);
    if (to != 0 && of_base) at(to).base.add(number);
    if (to != 0 && !of_base) at(to).fresh.emplace(word, number);
}

bool FrequentWords::visit(std::size_t frequency_class, std::string_view prefix, std::uint32_t first,
                          std::uint32_t end, Visit visit) const {
    const Class& of = classes_[frequency_class];
    auto base = of.base.begin();
    for (base.equalorlarger(first); base != of.base.end() && *base < end; ++base)
        if (!visit(*base)) return false;
    for (auto fresh = of.fresh.lower_bound(prefix);
         fresh != of.fresh.end() && fresh->first.starts_with(prefix); ++fresh)
        if (!visit(fresh->second)) return false;
    return true;
}

std::size_t FrequentWords::bytes() const {
    std::size_t out = 0;
    for (const Class& each : classes_) out += each.base.getSizeInBytes() + each.fresh.size() * 24;
    return out;
}

}  // namespace tidal::text
