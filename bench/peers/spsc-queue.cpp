// The yardstick of ring-peers.bench.ts: a bounded SPSC queue as one writes it in C++ (after rigtorp/SPSCQueue): indices
// each alone on 128 bytes, each side caching the other's, acquire/release only, one index store per batch.
// Usage: spsc-queue <samples> <batch> <slots>; prints "<nanoseconds> <count> <checksum>".
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

struct Record {
  double value;
  double takenAtUs;
  uint32_t series;
  uint32_t sequence;
  uint32_t meta;
  uint32_t reserved;
};
static_assert(sizeof(Record) == 32);

class SpscQueue {
 public:
  explicit SpscQueue(size_t slots) : slots_(slots), mask_(slots - 1) {}

  size_t tryPublish(const Record* records, size_t wanted) {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (slots_.size() - (head - tailSeen_) < wanted) tailSeen_ = tail_.load(std::memory_order_acquire);
    const size_t room = slots_.size() - (head - tailSeen_);
    const size_t count = room < wanted ? room : wanted;
    for (size_t i = 0; i < count; i++) slots_[(head + i) & mask_] = records[i];
    if (count > 0) head_.store(head + count, std::memory_order_release);
    return count;
  }

  size_t tryTake(Record* into, size_t wanted) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (headSeen_ - tail < wanted) headSeen_ = head_.load(std::memory_order_acquire);
    const size_t there = headSeen_ - tail;
    const size_t count = there < wanted ? there : wanted;
    for (size_t i = 0; i < count; i++) into[i] = slots_[(tail + i) & mask_];
    if (count > 0) tail_.store(tail + count, std::memory_order_release);
    return count;
  }

 private:
  std::vector<Record> slots_;
  const size_t mask_;
  alignas(128) std::atomic<size_t> head_{0};
  alignas(128) size_t tailSeen_{0};  // producer's
  alignas(128) std::atomic<size_t> tail_{0};
  alignas(128) size_t headSeen_{0};  // consumer's
};

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const size_t samples = strtoull(argv[1], nullptr, 10);
  const size_t batch = strtoull(argv[2], nullptr, 10);
  SpscQueue queue(strtoull(argv[3], nullptr, 10));
  std::atomic<bool> ready{false};
  size_t count = 0;
  double checksum = 0;
  std::thread consumer([&] {
    std::vector<Record> rows(256);
    ready.store(true);
    while (count < samples) {
      const size_t taken = queue.tryTake(rows.data(), rows.size());
      for (size_t i = 0; i < taken; i++) checksum += rows[i].value + rows[i].sequence;
      count += taken;
    }
  });
  while (!ready.load()) {
  }
  const auto start = std::chrono::steady_clock::now();
  std::vector<Record> rows(batch);
  for (size_t next = 0; next < samples; next += batch) {
    for (size_t i = 0; i < batch; i++) {
      const uint32_t n = static_cast<uint32_t>(next + i);
      rows[i] = Record{n * 0.5, 1.7e15 + n, n & 1023, n, 1u << 8, 0};
    }
    for (size_t done = 0; done < batch;) done += queue.tryPublish(rows.data() + done, batch - done);
  }
  consumer.join();
  const auto elapsed = std::chrono::steady_clock::now() - start;
  printf("%lld %zu %.1f\n", static_cast<long long>(std::chrono::nanoseconds(elapsed).count()), count, checksum);
}
