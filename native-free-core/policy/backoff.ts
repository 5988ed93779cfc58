/** How long to wait before a failed step is tried again. */
export interface Backoff {
  /** Upper bound of the first wait; doubles with each failure in a row. Milliseconds, at least 1. */
  baseMs: number
  /** Upper bound of every wait. Milliseconds. */
  maxMs: number
}

/**
 * Full jitter (Brooker, AWS Architecture Blog, 2015): what failed together does not come back together.
 *
 * @param failures failures in a row, from 1
 * @param random in [0, 1)
 * @returns milliseconds, at least 1
 */
export function backoffWaitMs({ baseMs, maxMs }: Backoff, failures: number, random: number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30))
  return Math.max(1, Math.round(random * ceiling))
}
