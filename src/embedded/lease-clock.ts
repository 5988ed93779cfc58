import { readFileSync } from 'node:fs'

/** The clock that leases are kept by, the same for all processes of the host. */
export interface LeaseClock {
  /** Times of one session compare; leases of an earlier session have ended. */
  readonly session: string
  /** Milliseconds, from an origin that the session has in common. */
  nowMs(): number
}

/**
 * On Linux the time since boot, with the boot's id as session: setting the host's clock neither ends nor prolongs a
 * lease. Elsewhere the wall clock: a step forward ends leases early (owners are fenced and the shards owned anew),
 * a step back delays the take-over of a dead owner's shards by as much.
 */
export function openLeaseClock(): LeaseClock {
  try {
    const session = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return { session, nowMs: () => Number(process.hrtime.bigint() / 1_000_000n) }
  } catch {
    return { session: 'host', nowMs: () => Date.now() }
  }
}
