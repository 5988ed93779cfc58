/** Options of each driver as they are written in a file; what they mean stands at the drivers' own option types. */
import { z } from 'zod'
import { QUALITY_NAMES } from '#core/model/quality'
import { camelKeys } from '#core/options/camel-keys'
import { byteSize, durationMs, flag, integer, list, number, oneOf, text } from '#core/options/fields'
import { LINE_DEFAULTS, type LineOptions } from '../drivers/line/line-options.js'
import { REPLAY_DEFAULTS, type ReplayOptions } from '../drivers/replay/replay-options.js'
import { SIM_DEFAULTS, SIM_FAULT_DEFAULTS, type SimOptions } from '../drivers/sim/sim-options.js'

/** What every device may have, whatever its driver. */
const deviceFields = {
  priority: oneOf('high', 'normal', 'medium', 'low').default('normal'),
  overflow: oneOf('refuse-newest', 'slow-driver').optional(),
  retry_base_ms: durationMs(1, 3_600_000).optional(),
  retry_max_ms: durationMs(1, 3_600_000).optional(),
  max_consecutive_failures: integer(1, 1_000_000).optional(),
}

const time = z.strictObject({
  fields: list(text(64)),
  format: oneOf('iso', 'unix-s', 'unix-ms', 'unix-us').default('iso'),
  utc_offset_minutes: integer(-840, 840).optional(),
})

const columns = z.array(
  z.strictObject({
    field: text(128),
    channel: text(64).optional(),
    unit: text(32).optional(),
    quality: oneOf(...QUALITY_NAMES).optional(),
  }),
)

const readingFields = {
  separator: text(1).optional(),
  fields: list(text(64)).optional(),
  columns: columns.min(1).max(64).optional(),
  time: time.optional(),
}

const faults = z.strictObject({
  mode: oneOf('none', 'random-sensor-errors', 'communication-failure', 'both').optional(),
  error_probability: number(0, 1).optional(),
  max_consecutive_errors: integer(0, 1_000_000).optional(),
  after_readings: integer(0, Number.MAX_SAFE_INTEGER).optional(),
  spike_probability: number(0, 1).optional(),
  spike_size: number(-1e12, 1e12).optional(),
  stuck_probability: number(0, 1).optional(),
  stuck_readings: integer(1, 1_000_000).optional(),
  dropout_probability: number(0, 1).optional(),
  dropout_readings: integer(1, 1_000_000).optional(),
})

const sim = z
  .strictObject({
    driver: z.literal('sim'),
    ...deviceFields,
    profile: oneOf('original', 'temperature', 'humidity', 'pressure').optional(),
    seed: integer(0, 2 ** 32 - 1).optional(),
    interval_ms: durationMs(0.0001, 3_600_000).optional(),
    samples_per_second: number(0.001, 10_000_000).optional(),
    channels: integer(1, 4096).optional(),
    readings: integer(1, Number.MAX_SAFE_INTEGER).optional(),
    faults: faults.optional(),
  })
  .transform((raw) => {
    const { driver, ...rest } = split(raw)
    const options: SimOptions = {
      ...SIM_DEFAULTS,
      ...rest.options,
      faults: { ...SIM_FAULT_DEFAULTS, ...rest.options.faults },
    }
    return { driver, device: rest.device, options, usesDefaultInterval: raw.interval_ms === undefined }
  })

const replay = z
  .strictObject({
    driver: z.literal('replay'),
    ...deviceFields,
    ...readingFields,
    path: text(4096),
    format: oneOf('csv', 'whitespace', 'json').optional(),
    has_header: flag().optional(),
    speed: z.union([z.literal('max'), number(0.001, 1_000_000)]).optional(),
    timestamps: oneOf('recorded', 'shifted').optional(),
    loop: flag().optional(),
    max_gap_ms: durationMs(1, 86_400_000).optional(),
    interval_ms: durationMs(0.001, 86_400_000).optional(),
    max_line_bytes: byteSize(16, 65_536).optional(),
  })
  .transform((raw) => {
    const { driver, ...rest } = split(raw)
    const options: ReplayOptions = { ...REPLAY_DEFAULTS, ...rest.options, path: raw.path }
    return { driver, device: rest.device, options }
  })

const line = z
  .strictObject({
    driver: z.literal('line'),
    ...deviceFields,
    ...readingFields,
    path: text(4096),
    baud_rate: integer(50, 4_000_000).optional(),
    data_bits: integer(5, 8).optional(),
    parity: oneOf('none', 'even', 'odd').optional(),
    stop_bits: number(1, 2).optional(),
    format: oneOf('csv', 'whitespace', 'key-value', 'json').optional(),
    delimiter: text(8).optional(),
    max_line_bytes: byteSize(1, 65_536).optional(),
    skip_first_line: flag().optional(),
    keep_raw: flag().optional(),
    settle_ms: durationMs(0, 60_000).optional(),
    start_command: text(256).optional(),
    stop_command: text(256).optional(),
  })
  .transform((raw) => {
    const { driver, ...rest } = split(raw)
    const options = { ...LINE_DEFAULTS, ...rest.options, path: raw.path } as LineOptions
    return { driver, device: rest.device, options }
  })

/** One device of a file, checked and with its defaults. */
export const deviceSchema = z.discriminatedUnion('driver', [sim, replay, line], {
  error: 'expected one of sim, replay, line',
})
export type DeviceConfig = z.output<typeof deviceSchema>

interface RawDevice {
  driver: string
  priority: 'high' | 'normal' | 'medium' | 'low'
  overflow?: 'refuse-newest' | 'slow-driver' | undefined
  retry_base_ms?: number | undefined
  retry_max_ms?: number | undefined
  max_consecutive_failures?: number | undefined
}

/** Parts what every device has from the driver's own options, of which only those that were given remain. */
function split<Raw extends RawDevice>(raw: Raw) {
  const { driver, priority, overflow, retry_base_ms, retry_max_ms, max_consecutive_failures, ...own } = raw
  const policy = { retry_base_ms, retry_max_ms, max_consecutive_failures }
  return {
    driver: driver as Raw['driver'],
    device: { priority, overflow, policy: camelKeys(given(policy)) },
    options: camelKeys(given(own)),
  }
}

function given<T extends object>(fields: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
