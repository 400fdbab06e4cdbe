#include "log_fixture.h"

#include <fstream>
#include <sstream>

namespace tidal::wal {
namespace {

std::string name_of(const BatchHeader& header) {
    return std::to_string(header.shard.value()) + ":" + std::to_string(header.first_index.value()) +
           "+" + std::to_string(header.count);
}

}  // namespace

std::string payload_of(std::uint16_t shard, std::uint64_t first, std::size_t bytes) {
    std::string payload = std::to_string(shard) + "/" + std::to_string(first) + "/";
    runtime::SeededRandom random(first * 1000 + shard);
    while (payload.size() < bytes) {
        const auto word = random.u64() | 0x0101010101010101;  // No byte is zero.
        payload.append(reinterpret_cast<const char*>(&word), sizeof(word));
    }
    payload.resize(bytes);
    return payload;
}

PendingBatch batch_of(std::uint16_t shard, std::uint64_t first, std::uint32_t count,
                      std::size_t payload_bytes) {
    PendingBatch batch;
    batch.header.region = kFirstRegion;
    batch.header.shard = ShardId(shard);
    batch.header.incarnation = Incarnation(1);
    batch.header.first_index = LogIndex(first);
    batch.header.count = count;
    batch.header.stamp = HybridTime::from(1'700'000'000'000 + static_cast<UnixMillis>(first), 0);
    batch.payload = payload_of(shard, first, payload_bytes);
    return batch;
}

NodeLog::Visitor collect_into(std::vector<SeenBatch>* seen) {
    return [seen](const BatchHeader& header, std::string_view payload) -> Result<void> {
        seen->push_back({header, std::string(payload)});
        return {};
    };
}

std::vector<std::string> names_of(const std::vector<SeenBatch>& seen) {
    std::vector<std::string> names;
    for (const auto& batch : seen) names.push_back(name_of(batch.header));
    return names;
}

std::string read_hex(const std::string& name) {
    std::ifstream file(std::string(TIDAL_TESTDATA_DIR) + "/" + name);
    EXPECT_TRUE(file) << name;
    std::string bytes;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with('#')) continue;
        std::istringstream words(line);
        for (std::string word; words >> word;)
            bytes.push_back(static_cast<char>(std::stoi(word, nullptr, 16)));
    }
    return bytes;
}

LogOptions small_files(std::uint64_t file_bytes) {
    LogOptions options;
    options.file_bytes = file_bytes;
    return options;
}

SimLog::SimLog(runtime::SimDisk& disk, LogOptions options, std::uint64_t seed)
    : disk_(disk), options_(std::move(options)), world_(seed) {}

Result<void> SimLog::open() {
    close();
    replayed.clear();
    node_ = world_.create_node("node", disk_);
    TIDAL_ASSIGN(log_, NodeLog::open(*node_, options_, collect_into(&replayed)));
    return {};
}

void SimLog::close() {
    log_.reset();
    node_.reset();
}

Result<void> SimLog::append(PendingBatch batch) {
    const auto name = name_of(batch.header);
    batch.on_durable = [this, name](const Result<void>& outcome) {
        (outcome ? acknowledged : refused).push_back(name);
    };
    return log_->append(std::move(batch));
}

void SimLog::append_and_run(PendingBatch batch) {
    const auto queued = append(std::move(batch));
    ASSERT_TRUE(queued) << queued.error().to_string();
    run();
}

std::vector<SeenBatch> SimLog::read(std::uint16_t shard, std::uint64_t from) {
    std::vector<SeenBatch> seen;
    const auto done = log_->read(ShardId(shard), LogIndex(from), collect_into(&seen));
    EXPECT_TRUE(done) << done.error().to_string();
    return seen;
}

void overwrite(runtime::Disk& disk, const std::string& path, std::uint64_t offset,
               std::string_view bytes) {
    auto file = disk.open(path, runtime::OpenMode::kReadWrite);
    ASSERT_TRUE(file) << file.error().to_string();
    ASSERT_TRUE((*file)->write_at(offset, bytes));
    ASSERT_TRUE((*file)->sync());
}

std::string contents(runtime::Disk& disk, const std::string& path) {
    auto bytes = runtime::read_file(disk, path);
    EXPECT_TRUE(bytes) << bytes.error().to_string();
    return bytes ? *bytes : std::string();
}

}  // namespace tidal::wal
