import { TelemetryError } from '#core/errors/telemetry-error'
import type { Clock } from '#core/time/clock'
import type { DeviceConfig } from '../config/driver-schemas.js'
import type { Channel } from '../drivers/contract/manifest.js'
import type { SampleSink } from '../drivers/driver.js'
import { unknownChannel } from './channel-settings.js'
import { ChannelSink } from './channel-sink.js'

/** A channel of a device with a known interval is stale after so many of them without a value. */
const STALE_INTERVALS = 3
/** Never sooner: a busy machine is late by as much now and then. */
const STALE_LEAST_MS = 1000

/**
 * The pipelines of a device's channels; `undefined` when neither its configuration nor its driver says anything of them:
 * then nothing stands between driver and ring.
 *
 * @throws TLM_OPTIONS_INVALID the configuration names a channel that the device does not have
 */
export function createDeviceChannels(
  device: string,
  { driver, device: settings, options, channels }: DeviceConfig,
  inner: SampleSink,
  clock: Clock,
): ChannelSink | undefined {
  const declared: readonly Channel[] = driver.kind === 'source' ? [] : driver.channels(options as never)
  const hasChecks = declared.some(({ range, sentinels }) => range !== undefined || sentinels !== undefined)
  if (channels === undefined && !hasChecks) return undefined
  const problem =
    declared.length === 0
      ? undefined
      : unknownChannel(
          channels ?? new Map(),
          declared.map(({ name }) => name),
        )
  if (problem !== undefined) throw new TelemetryError('TLM_OPTIONS_INVALID', `devices.${device}.${problem}`)
  return new ChannelSink({
    device,
    inner,
    settings: channels ?? new Map(),
    declared,
    sensorSerial: settings.sensorSerial,
    staleAfterMs: staleAfterMs(settings.every),
    clock,
  })
}

function staleAfterMs(everyMs: number | undefined): number | undefined {
  return everyMs === undefined ? undefined : Math.max(STALE_LEAST_MS, everyMs * STALE_INTERVALS)
}
