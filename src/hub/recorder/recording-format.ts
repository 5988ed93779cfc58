/**
 * Recordings: NDJSON. The first line is the {@link RecordingHeader}, each other one a {@link RecordedLine}, in the order
 * in which things happened. A last line without its end was torn by a crash, and is left out by readers. Described in
 * docs/tools.md.
 */
import type { DeviceConfig } from '../config/driver-schemas.js'
import { hexOf } from '../devices/hex-transaction.js'
import type { Acquisition } from '../devices/observation.js'
import { isFault } from '../drivers/contract/decoded.js'
import type { Fault } from '../drivers/contract/fault.js'

export const RECORDING_VERSION = 1

export interface RecordingHeader {
  readonly telemetryhub_recording: number
  /** ISO 8601, when the file was begun. */
  readonly begun: string
  readonly devices: Readonly<Record<string, RecordedDevice>>
}

export interface RecordedDevice {
  /** As the manifest names it. */
  readonly driver: string
  /** The driver's own, checked, in camelCase. */
  readonly options: Readonly<Record<string, unknown>>
  readonly channels: readonly { readonly name: string; readonly unit: string }[]
}

/** One acquisition, or one frame of a device that talks by itself. */
export interface RecordedLine {
  readonly device: string
  /** Wall time of its end, microseconds since 1970. */
  readonly takenAtUs: number
  readonly tookMs: number
  /** Two digits a byte. */
  readonly raw: string
  /** As `raw`; absent: as in the line of this device before. */
  readonly setup?: string
  /** What the driver made of it then; `null` where nothing was measured. */
  readonly readings?: readonly RecordedReading[]
  readonly fault?: Fault
}

export interface RecordedReading {
  readonly ageUs: number
  readonly values: readonly (number | null)[]
  /** One per channel; absent: all good. */
  readonly quality?: readonly number[]
}

export function recordingHeader(devices: Readonly<Record<string, DeviceConfig>>, begunUs: number): RecordingHeader {
  const recorded = Object.entries(devices).flatMap(([name, { driver, options }]): [string, RecordedDevice][] => {
    if (driver.kind === 'source') return []
    const channels = driver.channels(options).map((channel) => ({ name: channel.name, unit: channel.unit }))
    return [[name, { driver: driver.manifest.name, options, channels }]]
  })
  return {
    telemetryhub_recording: RECORDING_VERSION,
    begun: new Date(begunUs / 1000).toISOString(),
    devices: Object.fromEntries(recorded),
  }
}

/** @param withSetup `false`: it is the same as in the line of this device before */
export function recordedLine(acquisition: Acquisition, withSetup: boolean): RecordedLine {
  const { device, takenAtUs, tookMs, raw, setup, decoded, fault } = acquisition
  return {
    device,
    takenAtUs,
    tookMs: Number(tookMs.toFixed(3)),
    raw: hexOf(raw),
    ...(withSetup ? { setup: hexOf(setup) } : {}),
    ...(decoded === undefined || isFault(decoded) ? {} : { readings: decoded.map(recordedReading) }),
    ...(fault === undefined ? {} : { fault: { fault: fault.fault, message: fault.message } }),
  }
}

type Readings = Exclude<NonNullable<Acquisition['decoded']>, Fault>

/** JSON has neither NaN nor infinities; the latter are no values either. */
export function recordedReading({ ageUs, values, quality }: Readings[number]): RecordedReading {
  return {
    ageUs,
    values: Array.from(values, (value) => (Number.isFinite(value) ? value : null)),
    ...(quality === undefined || quality.every((level) => level === 0) ? {} : { quality }),
  }
}
