/** Options of devices as they are written in a file. */
import { z } from 'zod'
import { messageOf } from '#core/errors/telemetry-error'
import { type CamelKeys, camelKeys } from '#core/options/camel-keys'
import { durationMs, flag, integer, oneOf, text } from '#core/options/fields'
import { type ChannelSettingsMap, channelsSchema } from '../channels/channel-settings.js'
import type { AnyDriver } from '../drivers/contract/driver-module.js'
import { BUS_KINDS } from '../drivers/contract/manifest.js'
import { type Given, OPTION_FIELDS } from '../drivers/contract/option-fields.js'
import { type Placement, type PlacementProblem, placeDevice, type Written } from './bus-placement.js'
import { type Buses, busSchema } from './bus-schemas.js'
import type { DriverProblem, Drivers } from './driver-catalogue.js'

/** What every device may have, whatever its driver. */
const deviceFields = {
  priority: oneOf('high', 'normal', 'medium', 'low').default('normal'),
  overflow: oneOf('refuse-newest', 'slow-driver').optional(),
  every: durationMs(0.1, 86_400_000).optional(),
  retry_base_ms: durationMs(1, 3_600_000).optional(),
  retry_max_ms: durationMs(1, 3_600_000).optional(),
  max_consecutive_failures: integer(1, 1_000_000).optional(),
  /** Serial number of the sensor that is connected, for calibrations that are of one sensor. */
  sensor_serial: text(128).optional(),
}

/** What devices on a bus of the hub may have besides. */
const placeFields = {
  /** The name of one below `buses`, or one written here. */
  bus: z
    .preprocess(
      (raw) => (typeof raw === 'string' || typeof raw === 'number' ? { type: 'named', name: String(raw) } : raw),
      z.discriminatedUnion('type', [z.strictObject({ type: z.literal('named'), name: text(64) }), busSchema], {
        error: `expected the name of a bus, or a bus of type ${BUS_KINDS.join(', ')}`,
      }),
    )
    .optional(),
  address: integer(0, 0x7f).optional(),
  timeout: durationMs(1, 60_000).optional(),
  keep_raw: flag().default(false),
}

/** The keys that every device may have, with their defaults. */
export type DeviceSettings = Given<
  CamelKeys<{ [Key in keyof typeof deviceFields]: z.output<(typeof deviceFields)[Key]> }>
>

/** One device of a file, checked and with its defaults. */
export interface DeviceConfig {
  driver: AnyDriver
  device: DeviceSettings
  /** The driver's own, as its `options` made them. */
  options: Record<string, unknown>
  /** Absent: its driver needs no bus of the hub. */
  place?: Placement
  /** What is to be done with its values; absent: nothing. */
  channels?: ChannelSettingsMap
}

/** Devices by name. Only `drivers` and `buses`, those that the file names, are known. */
export function devicesSchema(drivers: Drivers, buses: Buses) {
  const [first, ...others] = [...drivers].map(([name, driver]) =>
    'problem' in driver ? unusable(name, driver) : deviceSchema(name, driver, buses),
  )
  const device = first === undefined ? z.never() : z.discriminatedUnion('driver', [first, ...others])
  return z.record(z.string().min(1).max(128), device).default({})
}

function unusable(name: string, { problem }: DriverProblem) {
  return z.looseObject({ driver: z.literal(name) }).transform((raw, context): DeviceConfig => {
    context.addIssue({ code: 'custom', path: ['driver'], message: problem, input: raw.driver })
    return z.NEVER
  })
}

/** A driver's own keys win over those that all have. */
function deviceSchema(name: string, driver: AnyDriver, buses: Buses) {
  const own = driver.options?.(OPTION_FIELDS) ?? {}
  const shared = { ...deviceFields, ...(driver.kind === 'source' ? {} : placeFields) }
  return z
    .strictObject({ driver: z.literal(name), ...shared, ...own, channels: channelsField(own.channels) })
    .transform((raw: Record<string, unknown>, context): DeviceConfig => {
      const { channels, ...others } = raw
      const isSettings = channels instanceof Map
      const given = Object.entries(isSettings ? others : raw).filter(
        ([key, value]) => key !== 'driver' && value !== undefined,
      )
      const isOwn = ([key]: [string, unknown]) => Object.hasOwn(own, key)
      const isOfDevice = ([key]: [string, unknown]) => Object.hasOwn(deviceFields, key)
      const device = Object.fromEntries(given.filter((entry) => !isOwn(entry) && isOfDevice(entry)))
      const options = camelKeys(Object.fromEntries(given.filter(isOwn)))
      const config = {
        driver,
        device: camelKeys(device) as unknown as DeviceSettings,
        options,
        ...(isSettings && { channels: channels as ChannelSettingsMap }),
      }
      if (driver.kind === 'source') return config
      const written = Object.fromEntries(given.filter((entry) => !isOwn(entry)))
      try {
        const { place, problems } = placeDevice(driver, options, writtenPlace(written), buses)
        for (const problem of problems) context.addIssue(issueOf(problem))
        return place === undefined ? config : { ...config, place }
      } catch (error) {
        const message = `driver ${name} refuses its options: ${messageOf(error)}`
        context.addIssue({ code: 'custom', path: ['driver'], message, input: name })
        return z.NEVER
      }
    })
}

/** A problem as zod carries it. */
export function issueOf({ path, reason, fix, input }: PlacementProblem) {
  return { code: 'custom' as const, path: [...path], message: reason, input, params: { fix } }
}

function writtenPlace({ bus, address, timeout, every, keep_raw }: Record<string, unknown>): Written {
  return { bus, address, timeout, every, keepRaw: keep_raw === true } as Written
}

/** A driver may have an option of that name, if it is no group of keys (sim: how many there are). */
function channelsField(own: z.ZodType | undefined): z.ZodType {
  if (own === undefined) return channelsSchema.optional()
  const either = z.unknown().transform((raw, context) => {
    const schema = typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? channelsSchema : own
    const result = schema.safeParse(raw, { reportInput: true })
    if (result.success) return result.data
    for (const issue of result.error.issues) context.issues.push(issue as z.core.$ZodRawIssue)
    return z.NEVER
  })
  return either.optional()
}
