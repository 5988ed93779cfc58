/** A run should take about this long: shards take turns in the threads, and what is urgent waits for those before it. */
const TARGET_MS = 10
const LEAST_BYTES = 2 ** 16
const MOST_BYTES = 2 ** 20
/** Smaller runs say more about what a run costs by itself than about its bytes. */
const TELLING_BYTES = 2 ** 13
/** Weight of the newest run. */
const NEW_PART = 0.25

/** How many bytes one run of a shard is given, from how long its runs have taken. */
export class RunQuantum {
  #bytesPerMs = LEAST_BYTES / TARGET_MS

  /** 64 KiB .. 1 MiB. */
  get bytes(): number {
    return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, Math.round(this.#bytesPerMs * TARGET_MS)))
  }

  /** @param durationMs in its thread */
  ran(bytes: number, durationMs: number): void {
    if (bytes < TELLING_BYTES || !(durationMs > 0)) return
    this.#bytesPerMs += (bytes / durationMs - this.#bytesPerMs) * NEW_PART
  }
}
