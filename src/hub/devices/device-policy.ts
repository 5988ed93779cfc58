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

/** The policy that a device's keys ask for. */
export function devicePolicy({ retryBaseMs, retryMaxMs, maxConsecutiveFailures }: Partial<DevicePolicy>): DevicePolicy {
  return {
    ...DEVICE_POLICY_DEFAULTS,
    ...(retryBaseMs === undefined ? {} : { retryBaseMs }),
    ...(retryMaxMs === undefined ? {} : { retryMaxMs }),
    ...(maxConsecutiveFailures === undefined ? {} : { maxConsecutiveFailures }),
  }
}
