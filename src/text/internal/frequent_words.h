// text/internal/frequent_words.h: the words of a field by how many documents hold them.
//
// In classes by powers of two, words of one document in none: a word changes its class seldom, and
// most words of a large vocabulary are in none.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/functional/function_ref.h>

#include <roaring/roaring.hh>

#include <cstdint>
#include <string_view>
#include <vector>

namespace tidal::text {

class FrequentWords {
public:
    /// Instead of all before. @param documents  By number of the words of a segment, which are in
    /// order.
    void open(const std::vector<std::uint32_t>& documents);
    /// @param word  Stays where it is while it has documents.
    void change(std::uint32_t number, std::string_view word, std::uint32_t before,
                std::uint32_t after) {
        if (class_of(before) != class_of(after)) move(number, word, before, after);
    }

    /// The more frequent, the greater; 0 = none.
    std::size_t classes() const { return classes_.size(); }
    using Visit = absl::FunctionRef<bool(std::uint32_t number)>;
    /// Those of one class that begin with `prefix`: of the segment, which are the numbers from
    /// `first` to before `end`, then the others. @return whether `visit` always was true.
    bool visit(std::size_t frequency_class, std::string_view prefix, std::uint32_t first,
               std::uint32_t end, Visit visit) const;
    std::size_t bytes() const;

private:
    struct Class {
        Roaring base;  ///< Of the segment.
        absl::btree_map<std::string_view, std::uint32_t> fresh;
    };
    /// 0 = none, else 1 + its index.
    static std::size_t class_of(std::uint32_t documents);
    void move(std::uint32_t number, std::string_view word, std::uint32_t before,
              std::uint32_t after);
    Class& at(std::size_t frequency_class);

    std::uint32_t base_words_ = 0;
    std::vector<Class> classes_;  ///< [i]: from 2^(i+1) documents to before twice as many.
};

}  // namespace tidal::text
