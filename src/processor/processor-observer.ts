import { LatencyRecorder } from '#core/observe/latency-recorder'
import { RecentLatency } from '#core/observe/recent-latency'
import type { PackedReply } from '#core/protocol/handler-messages'
import type { Clock } from '#core/time/clock'
import type { LeasedEntry } from '#core/transport/batch-stream'

/** Counts what was written, and how long after the reading. Thread: the processor's main thread. */
export class ProcessorObserver {
  /** Reading to finding written, every sample counted. */
  readonly latency = new LatencyRecorder()
  /** The same of the last minute. */
  readonly recentLatency: RecentLatency
  readonly #clock: Clock
  readonly #findingsBy = new Map<string, number>()
  #findings = 0
  #chunks = 0

  /** @param handlers the types that findings come from: each begins at 0 */
  constructor(handlers: readonly string[], clock: Clock) {
    this.#clock = clock
    this.recentLatency = new RecentLatency(clock)
    for (const handler of handlers) this.#findingsBy.set(handler, 0)
  }

  get findings(): number {
    return this.#findings
  }

  get chunks(): number {
    return this.#chunks
  }

  get findingsBy(): Record<string, number> {
    return Object.fromEntries(this.#findingsBy)
  }

  /** What a run made of the entries is durable. Cost: one step per entry. */
  written(entries: readonly LeasedEntry[], { findings, chunks }: PackedReply): void {
    const nowUs = this.#clock.nowUs()
    for (const { firstTakenAtUs, samples } of entries) {
      if (samples === 0) continue
      this.latency.record(nowUs - firstTakenAtUs, samples)
      this.recentLatency.record(nowUs - firstTakenAtUs, samples)
    }
    this.#findings += findings.count
    this.#chunks += chunks.length
    for (const [handler, count] of Object.entries(findings.byHandler)) {
      // A handler module may name its findings as it likes; only configured names are counted apart.
      const name = this.#findingsBy.has(handler) ? handler : 'other'
      this.#findingsBy.set(name, (this.#findingsBy.get(name) ?? 0) + count)
    }
  }
}
