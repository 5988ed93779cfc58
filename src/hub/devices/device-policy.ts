/** When a lost device is tried again, and when no more. */
export interface DevicePolicy {
  /** Upper bound of the first wait; doubles with each failure in a row. Milliseconds, at least 1. */
  retryBaseMs: number
  /** Upper bound of every wait. Milliseconds. */
  retryMaxMs: number
  /** A device that measured so long is well again: its failures count from 0. Milliseconds. */
  healthyAfterMs: number
  /** So many failures in a row latch `SafeState`; absent: tries for ever, so that a cable put back needs no operator. */
  maxConsecutiveFailures?: number
}

export const DEVICE_POLICY_DEFAULTS: Readonly<DevicePolicy> = {
  retryBaseMs: 250,
  retryMaxMs: 30_000,
  healthyAfterMs: 10_000,
}

/**
 * Full jitter (Brooker, AWS Architecture Blog, 2015): devices lost together do not come back together.
 *
 * @param failures failures in a row, from 1
 * @param random in [0, 1)
 * @returns milliseconds, at least 1
 */
export function retryWaitMs(policy: DevicePolicy, failures: number, random: number): number {
  const ceiling = Math.min(policy.retryMaxMs, policy.retryBaseMs * 2 ** Math.min(failures - 1, 30))
  return Math.max(1, Math.round(random * ceiling))
}
