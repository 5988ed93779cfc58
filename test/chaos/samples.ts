/** Samples of which the oracle can tell, from the sample alone, which one it is. */

/** The one channel of every device of the suite. */
export const CHANNEL = 'number'

/** The device whose readings are pushed as tasks, for `telemetry.store` only. */
export const PUSHED_DEVICE = 'pushed'

const BEGIN_US = 1_700_000_000_000_000
const STEP_US = 10_000

/** Reading `number` of any device: its value is the number, its instant follows from it. */
export function takenAtUsOf(number: number): number {
  return BEGIN_US + number * STEP_US
}

/** What a handler does when it meets a sample of a device, by the device's name; steady devices are well. */
export const CONDUCTS = {
  /** Throws each time. */
  'bad-throws': 'dead-letter',
  /** Ends its thread. */
  'bad-exit': 'dead-letter',
  /** Needs more memory than a thread may have. */
  'bad-memory': 'dead-letter',
  /** Never ends. */
  'bad-loop': 'dead-letter',
  /** Ends the whole process, as a native crash would. */
  'bad-abort': 'dead-letter',
  /** Throws the first time only. */
  flaky: 'effect',
} as const

export type Conduct = keyof typeof CONDUCTS

export function conductOf(device: string): Conduct | undefined {
  return Object.hasOwn(CONDUCTS, device) ? (device as Conduct) : undefined
}
