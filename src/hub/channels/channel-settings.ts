/** What a device's `channels` say of one channel, see docs/channels.md. */
import { z } from 'zod'
import { didYouMean } from '#core/options/did-you-mean'
import { durationMs, flag, integer, list, number, oneOf, perSecond, text } from '#core/options/fields'
import type { CalibrationSettings } from './calibration.js'

export interface ChannelSettings {
  /** `false`: its values are left out, and counted. */
  readonly enabled?: boolean
  /** What it is called from here on. */
  readonly name?: string
  /** UCUM symbol that values are converted to. */
  readonly unit?: string
  readonly calibration?: CalibrationSettings
  /** In `unit`, calibrated. */
  readonly range?: readonly [min: number, max: number]
  readonly maxRatePerSecond?: number
  readonly stuckAfterMs?: number
  readonly staleAfterMs?: number
  readonly filters?: readonly FilterSettings[]
  readonly deadband?: number
  readonly heartbeatMs?: number
}

/** One filter; exactly one of its keys is there. */
export interface FilterSettings {
  readonly offset?: number
  readonly linear?: CalibrationSettings
  readonly median?: number
  /** Milliseconds. */
  readonly average?: number
  readonly clamp?: readonly [min: number, max: number]
  readonly skip_first?: number
  /** Per second. */
  readonly rate_limit?: number
}

/** Channels by the driver's names; `*` is what those have that do not say. */
export type ChannelSettingsMap = ReadonlyMap<string, ChannelSettings>

const ANY = number(-1e300, 1e300)
const MAX_FILTERS = 16

const bounds = list(ANY).refine(
  (pair) => pair.length === 2 && pair[0] < pair[1],
  'expected two numbers, the lower first, such as [-40, 85]',
)

const points = z
  .array(z.tuple([ANY, ANY]))
  .min(2)
  .max(256)
  .refine((all) => new Set(all.map(([measured]) => measured)).size === all.length, {
    message: 'expected another measured value in every point',
  })

const linearFields = {
  gain: ANY.optional(),
  offset: ANY.optional(),
  points: points.optional(),
  fit: oneOf('piecewise', 'least-squares').optional(),
}

const linear = z.strictObject(linearFields).superRefine(oneWay)

const calibration = z
  .strictObject({
    ...linearFields,
    serial: text(128).optional(),
    polynomial: list(ANY)
      .refine(({ length }) => length >= 1 && length <= 16, 'expected 1 to 16 coefficients, the constant first')
      .optional(),
  })
  .superRefine(oneWay)

const filter = z
  .strictObject({
    offset: ANY.optional(),
    linear: linear.optional(),
    median: integer(1, 1001)
      .refine((size) => size % 2 === 1, 'expected an odd number of values, such as 5')
      .optional(),
    average: durationMs(1, 86_400_000).optional(),
    clamp: bounds.optional(),
    skip_first: integer(1, 1_000_000).optional(),
    rate_limit: perSecond(1e-6, 1e6).optional(),
  })
  .refine((given) => Object.values(given).filter((value) => value !== undefined).length === 1, {
    message: 'expected one filter an entry, such as { median: 5 }: they are applied in the order of the list',
  })

const channel = z
  .strictObject({
    enabled: flag().optional(),
    name: text(64).optional(),
    unit: text(32).optional(),
    calibration: calibration.optional(),
    range: bounds.optional(),
    max_rate: perSecond(1e-9, 1e300).optional(),
    stuck_after: durationMs(1, 604_800_000).optional(),
    stale_after: durationMs(100, 604_800_000).optional(),
    filters: z.array(filter).max(MAX_FILTERS).optional(),
    deadband: number(0, 1e300).optional(),
    heartbeat: durationMs(1, 604_800_000).optional(),
  })
  .superRefine((given, context) => {
    if (given.heartbeat !== undefined && given.deadband === undefined) {
      const message = 'a heartbeat is of a deadband: without one every value is passed on. Add deadband, or remove it'
      context.addIssue({ code: 'custom', path: ['heartbeat'], message, input: given.heartbeat })
    }
  })
  .transform(({ max_rate, stuck_after, stale_after, heartbeat, ...same }): ChannelSettings => {
    const given = {
      ...same,
      maxRatePerSecond: max_rate,
      stuckAfterMs: stuck_after,
      staleAfterMs: stale_after,
      heartbeatMs: heartbeat,
    }
    return withoutAbsent(given) as ChannelSettings
  })

/** Settings of a device's channels, by the driver's names of them. */
export const channelsSchema = z
  .record(z.string().min(1).max(64), channel)
  .superRefine((channels, context) => {
    const taken = new Set(Object.keys(channels))
    for (const [channel, { name }] of Object.entries(channels)) {
      if (name === undefined || name === channel) continue
      const isFree = channel !== '*' && !taken.has(name)
      const message = 'expected a name that no other channel of the device has'
      if (!isFree) context.addIssue({ code: 'custom', path: [channel, 'name'], message, input: name })
      taken.add(name)
    }
  })
  .transform((channels): ChannelSettingsMap => new Map(Object.entries(channels)))

/** What of the settings names no channel of the device, in words; `undefined` when all do. */
export function unknownChannel(settings: ChannelSettingsMap, known: readonly string[]): string | undefined {
  for (const name of settings.keys()) {
    if (name === '*' || known.includes(name)) continue
    const near = didYouMean(name, known)
    return `channels.${name}: the device has no such channel. ${near ? `Did you mean ${near}?` : `It has ${known.join(', ')}.`}`
  }
  return undefined
}

type Ways = Omit<CalibrationSettings, 'serial' | 'fit'> & { readonly fit?: string | undefined }

function oneWay(given: { [Key in keyof Ways]: Ways[Key] | undefined }, context: z.RefinementCtx): void {
  const ways = [given.gain !== undefined || given.offset !== undefined, given.points, given.polynomial]
  const count = ways.filter((way) => way !== undefined && way !== false).length
  if (count !== 1) {
    const message = 'expected one of offset with gain, points, or polynomial'
    context.addIssue({ code: 'custom', message, input: Object.keys(given) })
  }
  if (given.fit !== undefined && given.points === undefined) {
    context.addIssue({ code: 'custom', path: ['fit'], message: 'fit is of points', input: given.fit })
  }
}

function withoutAbsent(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
