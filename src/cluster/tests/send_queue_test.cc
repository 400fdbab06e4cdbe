#include "cluster/internal/send_queue.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "cluster/internal/reassembly.h"

namespace tidal::cluster::internal {
namespace send_queue_test {

const Route kRoute{NodeId(1), BootId(2), BootId(3)};

std::vector<Part> take(SendQueue* queue, std::string* packet) {
    *packet = queue->take_packet(kRoute);
    EXPECT_LE(packet->size(), kPacketBytes);
    auto decoded = decode_packet(*packet);
    EXPECT_TRUE(decoded.ok());
    return std::get<Data>(*decoded).parts;
}

TEST(SendQueue, SmallMessagesShareAPacketInTheOrderOfTheirChannels) {
    SendQueue queue;
    ASSERT_TRUE(queue.push(Channel::kRpc, "rpc").ok());
    ASSERT_TRUE(queue.push(Channel::kRaft, "one").ok());
    ASSERT_TRUE(queue.push(Channel::kRaft, "two").ok());
    ASSERT_TRUE(queue.push(Channel::kHeartbeat, "beat").ok());
    std::string packet;
    std::string order;
    for (const Part& part : take(&queue, &packet)) order += std::string(part.bytes) + " ";
    EXPECT_EQ(order, "beat one two rpc ");
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.bytes(), 0U);
}

TEST(SendQueue, AHeartbeatWaitsForNoMoreThanOnePacketOfASnapshot) {
    SendQueue queue;
    ASSERT_TRUE(queue.push(Channel::kSnapshot, std::string(8 << 20, 's')).ok());
    std::string packet;
    take(&queue, &packet);
    ASSERT_TRUE(queue.push(Channel::kHeartbeat, "beat").ok());
    EXPECT_EQ(take(&queue, &packet)[0].channel, Channel::kHeartbeat);
}

TEST(SendQueue, TheLeastUrgentIsNotLeftStanding) {
    SendQueue queue;
    ASSERT_TRUE(queue.push(Channel::kSnapshot, std::string(1 << 20, 's')).ok());
    std::size_t snapshot_bytes = 0;
    std::string packet;
    for (std::uint32_t i = 0; i < 4 * SendQueue::kTurns; ++i) {
        while (queue.stats(Channel::kRaft).queued_bytes < (1 << 20))
            ASSERT_TRUE(queue.push(Channel::kRaft, std::string(kPartBytesMax, 'r')).ok());
        for (const Part& part : take(&queue, &packet))
            if (part.channel == Channel::kSnapshot) snapshot_bytes += part.bytes.size();
    }
    EXPECT_EQ(snapshot_bytes, 4 * kPartBytesMax);
}

TEST(SendQueue, AFullChannelDropsItsOldestOrRefuses) {
    SendQueue queue;
    std::string packet;
    const std::size_t room = rule_of(Channel::kHeartbeat).queue_bytes_max;
    ASSERT_TRUE(queue.push(Channel::kHeartbeat, std::string(room / 2, 'a')).ok());
    ASSERT_TRUE(queue.push(Channel::kHeartbeat, std::string(room / 2, 'b')).ok());
    ASSERT_TRUE(queue.push(Channel::kHeartbeat, std::string(room / 2, 'c')).ok());
    EXPECT_EQ(queue.stats(Channel::kHeartbeat).dropped, 1U);
    EXPECT_EQ(queue.stats(Channel::kHeartbeat).queued_messages, 2U);
    EXPECT_EQ(take(&queue, &packet)[0].bytes[0], 'b');

    ASSERT_TRUE(queue.push(Channel::kRaft, std::string(16 << 20, 'x')).ok());
    ASSERT_TRUE(queue.push(Channel::kRaft, std::string(16 << 20, 'x')).ok());
    const auto refused = queue.push(Channel::kRaft, "x");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kOverloaded);
    EXPECT_EQ(queue.stats(Channel::kRaft).refused, 1U);
    EXPECT_EQ(queue.push(Channel::kRpc, std::string((16 << 20) + 1, 'x')).error().code(),
              ErrorCode::kTooLarge);
    queue.clear();
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.bytes(), 0U);
}

TEST(SendQueue, AMessageThatHasBegunIsNotDropped) {
    SendQueue queue;
    std::string packet;
    const std::size_t room = rule_of(Channel::kHeartbeat).queue_bytes_max;
    ASSERT_TRUE(queue.push(Channel::kHeartbeat, std::string(room, 'a')).ok());
    take(&queue, &packet);
    EXPECT_FALSE(queue.push(Channel::kHeartbeat, std::string(room, 'b')).ok());
    while (!queue.empty()) take(&queue, &packet);
    EXPECT_EQ(queue.stats(Channel::kHeartbeat).sent_bytes, room);
}

/// Any messages through packets and back, whatever the order of the packets.
RC_GTEST_PROP(Reassembly, MessagesComeOutWhole, (std::uint64_t seed)) {
    const auto sizes = *rc::gen::container<std::vector<std::size_t>>(
        3, rc::gen::inRange<std::size_t>(0, 5 * kPartBytesMax));
    SendQueue queue;
    std::multiset<std::string> sent, got;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        std::string message(sizes[i], static_cast<char>('a' + i));
        sent.insert(message);
        RC_ASSERT(queue.push(i % 2 == 0 ? Channel::kRaft : Channel::kSnapshot, message).ok());
    }
    std::vector<std::string> packets;
    while (!queue.empty()) packets.push_back(queue.take_packet(kRoute));
    packets.push_back(packets.front());  // repeated
    std::sort(packets.begin(), packets.end(), [&](const std::string& a, const std::string& b) {
        return std::hash<std::string>()(a) * (seed | 1) < std::hash<std::string>()(b) * (seed | 1);
    });
    Reassembly pieces;
    for (const std::string& packet : packets) {
        const auto decoded = decode_packet(packet);
        RC_ASSERT(decoded.ok());
        for (const Part& part : std::get<Data>(*decoded).parts) {
            if (part.pieces == 1) got.emplace(part.bytes);
            if (part.pieces > 1)
                if (auto message = pieces.add(part)) got.insert(std::move(*message));
        }
    }
    // All of them at least once; short ones again with the repeated packet.
    for (const std::string& message : sent)
        if (message.size() <= kPartBytesMax) RC_ASSERT(got.contains(message));
    for (const std::string& message : got) RC_ASSERT(sent.contains(message));
    std::set<std::string> distinct(got.begin(), got.end());
    std::set<std::string> all(sent.begin(), sent.end());
    RC_ASSERT(distinct.size() + pieces.given_up() >= all.size() - 1);
}

TEST(Reassembly, WhatLostAPieceGivesWay) {
    Reassembly pieces;
    const std::string piece(kPartBytesMax, 'p');
    for (std::uint64_t message = 1; message <= 100; ++message)
        EXPECT_FALSE(
            pieces.add({Channel::kRaft, message, 0, 2, kPartBytesMax + 1, piece}).has_value());
    EXPECT_EQ(pieces.given_up(), 100 - Reassembly::kOpenMax);
    EXPECT_FALSE(pieces.add({Channel::kRaft, 1, 1, 2, kPartBytesMax + 1, "e"}).has_value());
    const auto last = pieces.add({Channel::kRaft, 100, 1, 2, kPartBytesMax + 1, "e"});
    ASSERT_TRUE(last.has_value());
    EXPECT_EQ(*last, piece + "e");
}

}  // namespace send_queue_test
}  // namespace tidal::cluster::internal
