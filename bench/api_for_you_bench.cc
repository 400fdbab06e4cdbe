// bench/api_for_you_bench.cc: how well `for_you` foresees what people like, beside simple
// recommenders of the same run.
//
//     api_for_you_bench ratings.csv [every = 5] [--gap DAYS] [--absent DAYS] [profile file...]
//
// MovieLens ratings in time order, under a clock that tells the time of the data. A rating is a
// view; of 4 and more also a like, of 2 and less a dislike. Before every `every`-th like of a film
// that somebody rated before and this user did not, by a user with at least 5 likes, each
// recommender makes a page of 10 of what the user has not rated; then all learn the rating.
// Printed: nDCG@10 with that film as the only relevant one, of all users and of those with even and
// with odd ids (weights that were chosen on one half are judged by the other), and the time of
// Database::feed.
//
// With --gap nobody knows anything of the last so many days when a page is made: not of its user,
// who has at least 5 likes before that, nor of any film. With --absent pages are made only for
// users who rated nothing for so many days; of others the newest is known.
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
    /// Of a while ago, it may be.
    void learn(const Rating& rating) {
        clock_.advance_to(rating.at_ms);
        std::vector<Write> writes;
        if (known_.insert(rating.item).second) {
            EntityWrite item;
            item.id = rating.item;
            item.created_at_ms = rating.at_ms;
            writes.emplace_back(std::move(item));
        }
        const auto add = [&](const char* name) {
            SignalWrite signal;
            signal.id = rating.item;
            signal.signal = name;
            signal.user_id = IdInput(rating.user);
            signal.at_ms = rating.at_ms;
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

constexpr double kDayMs = 24 * 3'600'000.0;

struct Arguments {
    std::uint64_t every = 5;
    UnixMillis gap_ms = 0, absent_ms = 0;
    std::vector<std::string> profile_files;
    bool read(int argc, char** argv) {
        for (int i = 2; i < argc; ++i) {
            const std::string word = argv[i];
            if (word == "--gap" || word == "--absent") {
                if (++i == argc) return false;
                const double days = std::strtod(argv[i], nullptr);
                if (days <= 0) return false;
                (word == "--gap" ? gap_ms : absent_ms) = static_cast<UnixMillis>(days * kDayMs);
            } else if (i == 2 && word.find_first_not_of("0123456789") == std::string::npos) {
                every = std::strtoull(argv[i], nullptr, 10);
            } else {
                profile_files.push_back(word);
            }
        }
        return argc > 1 && every > 0;
    }
};

/// All recommenders, of whom each knows the same.
class Replay {
public:
    Replay(std::vector<Rating> ratings, const Arguments& arguments)
        : ratings_(std::move(ratings)), arguments_(arguments), ours_(ratings_.front().at_ms) {
        for (const std::string& name : arguments.profile_files) {
            std::ifstream file(name);
            const std::string text{std::istreambuf_iterator<char>(file), {}};
            ours_.put_profile(text);
            profiles_.push_back(name_of(text));
        }
    }
    void run() {
        for (std::size_t at = 0; at < ratings_.size(); ++at) {
            const Rating& rating = ratings_[at];
            while (learned_ < at && ratings_[learned_].at_ms <= rating.at_ms - arguments_.gap_ms)
                learn(ratings_[learned_++]);
            if (is_to_be_foreseen(rating) && met_++ % arguments_.every == 0) foresee(rating);
            newest_ms_[rating.user] = rating.at_ms;
        }
        print();
    }

private:
    bool is_to_be_foreseen(const Rating& rating) {
        const auto newest = newest_ms_.find(rating.user);
        if (newest != newest_ms_.end() && rating.at_ms - newest->second < arguments_.absent_ms)
            return false;
        return rating.is_like() && likes_[rating.user] >= 5 && known_.contains(rating.item) &&
               !seen_[rating.user].contains(rating.item);
    }
    void foresee(const Rating& rating) {
        Outcome& of_half = halves_[rating.user % 2];
        of_half.users.insert(rating.user);
        ++of_half.asked;
        const Seen& of_user = seen_[rating.user];
        const auto score = [&](const std::string& name, const std::vector<std::uint64_t>& page) {
            of_half.gains[name] += gain(page, rating.item);
        };
        score("popularity", popularity_.page(rating, of_user));
        score("decayed", decayed_.page(rating, of_user));
        score("cosine", cosine_.page(rating, of_user));
        for (const std::string& profile : profiles_) score(profile, ours_.page(profile, rating));
    }
    void learn(const Rating& rating) {
        popularity_.learn(rating);
        decayed_.learn(rating);
        cosine_.learn(rating);
        ours_.learn(rating);
        seen_[rating.user].insert(rating.item);
        known_.insert(rating.item);
        likes_[rating.user] += rating.is_like() ? 1 : 0;
    }
    struct Outcome {
        std::uint64_t asked = 0;
        Seen users;
        std::map<std::string, double> gains;
    };
    static void print(const char* of, Outcome& outcome) {
        std::printf("%s: %llu pages for %zu users\n", of,
                    static_cast<unsigned long long>(outcome.asked), outcome.users.size());
        for (const auto& [name, sum] : outcome.gains)
            std::printf("%-12s nDCG@10 %.4f  %.3f x popularity  %.3f x decayed  %.3f x cosine\n",
                        name.c_str(), sum / static_cast<double>(outcome.asked),
                        sum / outcome.gains["popularity"], sum / outcome.gains["decayed"],
                        sum / outcome.gains["cosine"]);
    }
    void print() {
        Outcome all = halves_[0];
        all.asked += halves_[1].asked;
        all.users.insert(halves_[1].users.begin(), halves_[1].users.end());
        for (const auto& [name, sum] : halves_[1].gains) all.gains[name] += sum;
        std::printf("%zu ratings\n", ratings_.size());
        if (all.asked == 0) return;
        print("all", all);
        print("even", halves_[0]);
        print("odd", halves_[1]);
        std::printf("feed p50 %.0f us, p99 %.0f us\n", ours_.percentile_us(0.5),
                    ours_.percentile_us(0.99));
    }

    const std::vector<Rating> ratings_;
    const Arguments& arguments_;
    Ours ours_;
    Popularity popularity_{0}, decayed_{30 * kDayMs};
    Cosine cosine_;
    std::vector<std::string> profiles_ = {"for_you"};
    std::size_t learned_ = 0;  ///< Of the ratings, the first so many.
    std::map<std::uint64_t, Seen> seen_;
    std::map<std::uint64_t, std::uint64_t> likes_;
    std::map<std::uint64_t, UnixMillis> newest_ms_;  ///< By user, learned or not.
    Seen known_;
    Outcome halves_[2];  ///< By the last bit of the user's id.
    std::uint64_t met_ = 0;
};

int run(int argc, char** argv) {
    Arguments arguments;
    if (!arguments.read(argc, argv)) {
        std::fprintf(stderr,
                     "usage: %s ratings.csv [every] [--gap DAYS] [--absent DAYS] [profile...]\n",
                     argv[0]);
        return 2;
    }
    std::vector<Rating> ratings = read_ratings(argv[1]);
    if (ratings.empty()) {
        std::fprintf(stderr, "no ratings in %s\n", argv[1]);
        return 2;
    }
    Replay(std::move(ratings), arguments).run();
    return 0;
}

}  // namespace
}  // namespace tidal::api

int main(int argc, char** argv) {
    return tidal::api::run(argc, argv);
}
