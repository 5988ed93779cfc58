/**
 * The hub's own time: microseconds of the machine's monotonic clock, from its start. It never steps, and every thread of
 * a process reads the same. Samples are stamped with it, and mapped to wall time when their batch is sealed.
 */

/** 1990-01-01 and 2100-01-01 of wall time: a clock that says otherwise was never set. Hub time is below both. */
export const EARLIEST_WALL_US = Date.UTC(1990, 0) * 1000
export const LATEST_WALL_US = Date.UTC(2100, 0) * 1000

/** `performance.now()` starts anew in every thread, and is quicker than `hrtime`, which does not. */
const ORIGIN_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Any thread. Cost: that of `performance.now()`. */
export function hubTimeUs(): number {
  return Math.round((ORIGIN_MS + performance.now()) * 1000)
}

/** Whether a stamp is hub time; else it is wall time already. */
export function isHubTime(stampUs: number): boolean {
  return stampUs < EARLIEST_WALL_US
}
