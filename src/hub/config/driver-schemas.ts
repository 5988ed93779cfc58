/** Options of devices as they are written in a file. */
import { z } from 'zod'
import { type CamelKeys, camelKeys } from '#core/options/camel-keys'
import { durationMs, integer, oneOf, text } from '#core/options/fields'
import { type ChannelSettingsMap, channelsSchema } from '../channels/channel-settings.js'
import type { AnyDriver } from '../drivers/contract/driver-module.js'
import { type Given, OPTION_FIELDS } from '../drivers/contract/option-fields.js'
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
  /** What is to be done with its values; absent: nothing. */
  channels?: ChannelSettingsMap
}

/** Devices by name. Only `drivers`, those that the file names, are known. */
export function devicesSchema(drivers: Drivers) {
  const [first, ...others] = [...drivers].map(([name, driver]) =>
    'problem' in driver ? unusable(name, driver) : deviceSchema(name, driver),
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

function deviceSchema(name: string, driver: AnyDriver) {
  const own = driver.options?.(OPTION_FIELDS) ?? {}
  return z
    .strictObject({ driver: z.literal(name), ...deviceFields, ...own, channels: channelsField(own.channels) })
    .transform((raw: Record<string, unknown>): DeviceConfig => {
      const isShared = ([key]: [string, unknown]) => Object.hasOwn(deviceFields, key)
      const { channels } = raw
      const isSettings = channels instanceof Map
      const given = Object.entries(raw).filter(
        ([key, value]) => key !== 'driver' && value !== undefined && !(key === 'channels' && isSettings),
      )
      return {
        driver,
        device: camelKeys(Object.fromEntries(given.filter(isShared))) as unknown as DeviceSettings,
        options: camelKeys(Object.fromEntries(given.filter((entry) => !isShared(entry)))),
        ...(isSettings && { channels: channels as ChannelSettingsMap }),
      }
    })
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
