// bench/api_for_you_bench.cc: how well `for_you` foresees what people like, beside simple
// recommenders of the same run.
//
//     api_for_you_bench ratings.csv [every = 5] [profile file...]
//
// MovieLens ratings in time order, under a clock that tells the time of the data. A rating is a
// view; of 4 and more also a like, of 2 and less a dislike. Before every `every`-th like of a film
// that somebody rated before and this user did not, by a user with at least 5 likes, each
// recommender makes a page of 10 of what the user has not rated; then all learn the rating.
// Printed: nDCG@10 with that film as the only relevant one, and the time of Database::feed.
//
//     popularity   number of likes
//     decayed      likes that halve every 30 days
//     cosine       item-item over all likes of each user, shrinkage 10, the last 20, 0.8^rank
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/database.h"
#include "runtime/data_clock.h"
#include "runtime/real_runtime.h"
#include "runtime/task.h"

namespace tidal::api {
namespace {

constexpr std::size_t kPage = 10;

struct Rating {
    std::uint64_t user = 0, item = 0;
    double stars = 0;
    UnixMillis at_ms = 0;
    bool is_like() const { return stars >= 4; }
};

std::vector<Rating> read_ratings(const char* path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    std::vector<Rating> out;
    while (std::getline(file, line)) {
        Rating rating;
        long long at_s = 0;
        unsigned long long user = 0, item = 0;
        if (std::sscanf(line.c_str(), "%llu,%llu,%lf,%lld", &user, &item, &rating.stars, &at_s) !=
            4)
            continue;
        rating.user = user;
        rating.item = item;
        rating.at_ms = at_s * 1000;
        out.push_back(rating);
    }
    std::ranges::stable_sort(out, {}, &Rating::at_ms);
    return out;
}

using Seen = std::set<std::uint64_t>;

/// The first of what the user has not rated; ties by id.
template <typename Scores>
std::vector<std::uint64_t> page_of(const Scores& scores, const Seen& seen) {
    std::vector<std::pair<double, std::uint64_t>> order;
    for (const auto& [item, score] : scores)
        if (score > 0 && !seen.contains(item)) order.emplace_back(-score, item);
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(kPage, order.size()));
    std::partial_sort(order.begin(), end, order.end());
    std::vector<std::uint64_t> out;
    for (auto each = order.begin(); each != end; ++each) out.push_back(each->second);
    return out;
}

class Popularity {
public:
    /// @param half_life_ms  0 = for ever.
    explicit Popularity(double half_life_ms) : half_life_ms_(half_life_ms) {}
    std::vector<std::uint64_t> page(const Rating&, const Seen& seen) {
        return page_of(scores_, seen);
    }
    void learn(const Rating& rating) {
        if (!rating.is_like()) return;
        if (half_life_ms_ > 0) {
            const double factor =
                std::exp2(-static_cast<double>(rating.at_ms - at_ms_) / half_life_ms_);
            for (auto& [item, score] : scores_) score *= factor;
            at_ms_ = rating.at_ms;
        }
        scores_[rating.item] += 1;
    }

private:
    const double half_life_ms_;
    UnixMillis at_ms_ = 0;
    std::unordered_map<std::uint64_t, double> scores_;
};

class Cosine {
public:
    std::vector<std::uint64_t> page(const Rating& rating, const Seen& seen) {
        std::unordered_map<std::uint64_t, double> scores;
        const auto& likes = likes_[rating.user];
        double weight = 1;
        for (std::size_t i = 0; i < std::min<std::size_t>(20, likes.size()); ++i) {
            const std::uint64_t item = likes[likes.size() - 1 - i];
            const double count = counts_[item];
            for (const auto& [other, both] : pairs_[item])
                scores[other] +=
                    weight * both / std::sqrt(count * counts_[other]) * both / (both + 10);
            weight *= 0.8;
        }
        return page_of(scores, seen);
    }
    void learn(const Rating& rating) {
        if (!rating.is_like()) return;
        auto& likes = likes_[rating.user];
        for (const std::uint64_t other : likes) {
            ++pairs_[rating.item][other];
            ++pairs_[other][rating.item];
        }
        ++counts_[rating.item];
        likes.push_back(rating.item);
    }

private:
    std::unordered_map<std::uint64_t, std::unordered_map<std::uint64_t, double>> pairs_;
    std::unordered_map<std::uint64_t, double> counts_;
    std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> likes_;
};

template <typename T, typename Start>
runtime::Task<Result<T>> answered(Start start) {
    runtime::Completion<T> done;
    start(done.completer());
    Result<T> result = co_await done;
    co_return result;
}
template <typename T>
T must(Result<T> result) {
    if (result.ok()) return std::move(result).value();
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}
void must(const Result<void>& result) {
    if (!result.ok()) must(Result<int>(result.error()));
}

class Ours {
public:
    explicit Ours(UnixMillis start_ms)
        : world_(must(runtime::make_real_runtime({}))),
          clock_(world_->clock(), start_ms),
          runtime_(*world_, clock_) {
        DatabaseOptions options;
        options.ephemeral = true;
        options.shards = 1;
        database_ = must(Database::open(options, runtime_));
        must(runtime::sync_wait(
            answered<void>([&](auto done) { database_->start(std::move(done)); })));
    }
    ~Ours() {
        (void)runtime::sync_wait(answered<void>([this](auto done) {
            database_->stop([done = std::move(done)]() mutable { done({}); });
        }));
    }
    void put_profile(const std::string& text) {
        must(runtime::sync_wait(answered<CatalogReply>(
            [&](auto done) { database_->put_profile(text, false, std::move(done)); })));
    }
    std::vector<std::uint64_t> page(const std::string& profile, const Rating& rating) {
        clock_.advance_to(rating.at_ms);
        FeedCall call;
        call.profile = profile;
        call.user_id = IdInput(rating.user);
        call.limit = kPage;
        call.fields = std::vector<std::string>();
        const auto begun = std::chrono::steady_clock::now();
        const FeedReply reply = must(database_->feed(call));
        took_us_.push_back(
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun)
                .count());
        std::vector<std::uint64_t> out;
        for (const FeedItem& item : reply.items) out.push_back(item.entity.id.number());
        return out;
    }
    void learn(const Rating& rating) {
        clock_.advance_to(rating.at_ms);
        std::vector<Write> writes;
        if (known_.insert(rating.item).second) {
            EntityWrite item;
            item.id = rating.item;
            writes.emplace_back(std::move(item));
        }
        const auto add = [&](const char* name) {
            SignalWrite signal;
            signal.id = rating.item;
            signal.signal = name;
            signal.user_id = IdInput(rating.user);
            writes.emplace_back(std::move(signal));
        };
        add("view");
        if (rating.is_like()) add("like");
        if (rating.stars <= 2) add("dislike");
        const auto replies = must(runtime::sync_wait(answered<WriteReplies>(
            [&](auto done) { database_->write(std::move(writes), {}, std::move(done)); })));
        for (const auto& reply : replies) must(reply);
    }
    double percentile_us(double share) {
        std::ranges::sort(took_us_);
        return took_us_[static_cast<std::size_t>(share * static_cast<double>(took_us_.size() - 1))];
    }

private:
    std::unique_ptr<runtime::Runtime> world_;
    runtime::DataClock clock_;
    runtime::DataRuntime runtime_;
    std::unique_ptr<Database> database_;
    Seen known_;
    std::vector<double> took_us_;
};

double gain(const std::vector<std::uint64_t>& page, std::uint64_t relevant) {
    const auto found = std::ranges::find(page, relevant);
    if (found == page.end()) return 0;
    return 1 / std::log2(static_cast<double>(found - page.begin()) + 2);
}

std::string name_of(const std::string& profile_text) {
    std::istringstream in(profile_text);
    std::string word;
    in >> word >> word;
    return word;
}

int run(int argc, char** argv) {
    const std::vector<Rating> ratings = read_ratings(argv[1]);
    const std::uint64_t every = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 5;
    if (ratings.empty() || every == 0) {
        std::fprintf(stderr, "no ratings in %s\n", argv[1]);
        return 2;
    }
    Ours ours(ratings.front().at_ms);
    std::vector<std::string> profiles = {"for_you"};
    for (int i = 3; i < argc; ++i) {
        std::ifstream file(argv[i]);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        ours.put_profile(text);
        profiles.push_back(name_of(text));
    }
    constexpr double kMonthMs = 30.0 * 24 * 3'600'000;
    Popularity popularity(0), decayed(kMonthMs);
    Cosine cosine;
    std::map<std::uint64_t, Seen> seen;
    std::map<std::uint64_t, std::uint64_t> likes;
    Seen known;
    std::map<std::string, double> gains;
    std::uint64_t met = 0, asked = 0;
    for (const Rating& rating : ratings) {
        Seen& of_user = seen[rating.user];
        const bool counts = rating.is_like() && likes[rating.user] >= 5 &&
                            known.contains(rating.item) && !of_user.contains(rating.item);
        if (counts && met++ % every == 0) {
            ++asked;
            gains["popularity"] += gain(popularity.page(rating, of_user), rating.item);
            gains["decayed"] += gain(decayed.page(rating, of_user), rating.item);
            gains["cosine"] += gain(cosine.page(rating, of_user), rating.item);
            for (const std::string& profile : profiles)
                gains[profile] += gain(ours.page(profile, rating), rating.item);
        }
        popularity.learn(rating);
        decayed.learn(rating);
        cosine.learn(rating);
        ours.learn(rating);
        of_user.insert(rating.item);
        known.insert(rating.item);
        likes[rating.user] += rating.is_like() ? 1 : 0;
    }
    std::printf("%zu ratings, %llu pages\n", ratings.size(),
                static_cast<unsigned long long>(asked));
    for (const auto& [name, sum] : gains)
        std::printf("%-12s nDCG@10 %.4f  %.3f x popularity  %.3f x cosine\n", name.c_str(),
                    sum / static_cast<double>(asked), sum / gains["popularity"],
                    sum / gains["cosine"]);
    std::printf("feed p50 %.0f us, p99 %.0f us\n", ours.percentile_us(0.5),
                ours.percentile_us(0.99));
    return 0;
}

}  // namespace
}  // namespace tidal::api

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s ratings.csv [every] [profile file...]\n", argv[0]);
        return 2;
    }
    return tidal::api::run(argc, argv);
}
