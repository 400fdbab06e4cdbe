// Runs a fuzz target without libFuzzer: its corpus, then mutations of it from a fixed seed, for a
// fixed number of inputs. A crash prints the input that caused it. Real fuzzing: the `fuzz` preset.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int kMutationsDefault = 20'000;
constexpr std::size_t kInputSizeMax = 1 << 16;

const std::string* current_input = nullptr;

void print_current_input() {
    if (current_input == nullptr) return;
    std::fprintf(stderr, "input of %zu bytes:\n", current_input->size());
    for (const unsigned char byte : *current_input) std::fprintf(stderr, "%02x", byte);
    std::fprintf(stderr, "\n");
}

// A target that finds its own rule broken calls abort(). The process ends either way, so printing
// from a handler can do no more harm.
void on_abort(int) {
    print_current_input();
}

// The sanitizers call this before they end the process.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

void run(const std::string& input) {
    // A heap block of exactly the input's size, so that AddressSanitizer sees a read past its end.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    current_input = &input;
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    current_input = nullptr;
}

std::vector<std::string> read_corpus(const std::filesystem::path& folder) {
    std::vector<std::string> corpus = {"", std::string(64, '\0')};
    if (!std::filesystem::is_directory(folder)) return corpus;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    std::sort(corpus.begin(), corpus.end());  // folders list in any order
    return corpus;
}

std::string mutate(std::string input, const std::vector<std::string>& corpus,
                   std::mt19937_64& random) {
    for (auto steps = 1 + random() % 4; steps > 0; --steps) {
        const std::size_t at = random() % (input.size() + 1);
        const auto byte = static_cast<char>(random());
        const auto& other = corpus[random() % corpus.size()];
        switch (random() % 7) {
            case 0:
                if (at < input.size()) input[at] = byte;
                break;
            case 1:
                if (at < input.size()) input[at] ^= static_cast<char>(1 << (random() % 8));
                break;
            case 2:
                input.insert(at, 1 + random() % 8, byte);
                break;
            case 3:
                input.erase(at, 1 + random() % 8);
                break;
            case 4:
                input.resize(at);
                break;
            case 5:
                input.insert(at, other.substr(random() % (other.size() + 1), 64));
                break;
            default: {
                constexpr std::uint64_t kEdges[] = {0,          1,          0x7f, 0xff,
                                                    0x7fffffff, 0xffffffff, ~0ULL};
                const auto edge = kEdges[random() % std::size(kEdges)];
                const std::size_t width = std::size_t{1} << (random() % 4);
                for (std::size_t i = 0; i < width && at + i < input.size(); ++i)
                    input[at + i] = static_cast<char>(edge >> (8 * i));
            }
        }
    }
    if (input.size() > kInputSizeMax) input.resize(kInputSizeMax);
    return input;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback != nullptr)
        __sanitizer_set_death_callback(print_current_input);
    const int mutations = argc > 2 ? std::atoi(argv[2]) : kMutationsDefault;
    const auto corpus = read_corpus(argc > 1 ? argv[1] : "");
    for (const auto& input : corpus) run(input);
    std::mt19937_64 random(1);
    for (int i = 0; i < mutations; ++i)
        run(mutate(corpus[random() % corpus.size()], corpus, random));
    std::printf("%zu corpus inputs, %d mutations\n", corpus.size(), mutations);
    return 0;
}
