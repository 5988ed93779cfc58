import type { ParsedReading } from '#core/codec/task-json'
import type { Priority } from '#core/model/priority'
import { EARLIEST_WALL_US, LATEST_WALL_US } from '#core/time/hub-time'
import type { DeviceIntake } from './device-intake.js'
import type { Intake } from './intake.js'
import { RejectCounts } from './reject-counts.js'
import type { RingLane } from './ring-lane.js'
import type { SeriesRefusal } from './series-registry.js'

/** What became of readings that somebody pushed: all of them were taken, or none. */
export type PushOutcome =
  | { kind: 'taken'; samples: number; stored: (signal: AbortSignal) => Promise<boolean> }
  /** The rings have no room for them now. */
  | { kind: 'full' }
  /** A class that is not taken while the processors are behind. */
  | { kind: 'pressed' }
  | { kind: 'invalid'; index: number; message: string }

interface Prepared {
  reading: ParsedReading
  sink: DeviceIntake
  series: number[]
  values: number[]
}

/** Takes readings that come over REST instead of from a driver; devices that are new are made as they come. */
export class PushedReadings {
  readonly #intake: Intake
  readonly #rejects = new RejectCounts()

  constructor(intake: Intake) {
    this.#intake = intake
  }

  /** Readings that were refused, by reason. */
  rejects(): [reason: string, count: number][] {
    return this.#rejects.entries()
  }

  /** Counts readings that could not even be read. */
  reject(reason: string, count = 1): void {
    this.#rejects.add(reason, count)
  }

  push(readings: readonly ParsedReading[]): PushOutcome {
    const prepared: Prepared[] = []
    for (const [index, reading] of readings.entries()) {
      const result = this.#prepare(reading)
      if (typeof result === 'string') {
        this.reject('reading_invalid', readings.length)
        return { kind: 'invalid', index, message: result }
      }
      prepared.push(result)
    }
    if (!haveRoom(prepared)) {
      this.reject('ring_full', readings.length)
      return { kind: 'full' }
    }
    if (prepared.some(({ reading, sink }) => this.#intake.ladder.step(priorityOf(reading, sink)) === 'refuse')) {
      this.reject('processors_behind', readings.length)
      return { kind: 'pressed' }
    }
    let samples = 0
    for (const { reading, sink, series, values } of prepared) {
      sink.offer(reading.takenAtUs, series, values, 0, priorityOf(reading, sink), reading.raw, true)
      samples += series.length
    }
    const lanes = new Set(prepared.map(({ reading, sink }) => sink.laneOf(priorityOf(reading, sink))))
    return { kind: 'taken', samples, stored: (signal) => allStored(lanes, signal) }
  }

  /** @returns what is wrong with the reading, naming the field, when something is */
  #prepare(reading: ParsedReading): Prepared | string {
    const { device, channels, takenAtUs } = reading
    if (!(takenAtUs >= EARLIEST_WALL_US && takenAtUs < LATEST_WALL_US)) return 'timestamp: must lie from 1990 to 2099'
    const series: number[] = []
    for (const { channel, unit } of channels) {
      const id = this.#intake.registry.intern({ device, channel, unit })
      if (typeof id === 'string') return refusalText(id, device, channel)
      series.push(id)
    }
    const sink =
      this.#intake.device(device) ?? this.#intake.addDevice(device, { priority: 1, overflow: 'refuse-newest' })
    const { capacity } = sink.laneOf(priorityOf(reading, sink)).ring
    if (series.length > capacity) return `${channels.length} channels: a reading of this hub has ${capacity} at most`
    return { reading, sink, series, values: channels.map(({ value }) => value) }
  }
}

async function allStored(lanes: ReadonlySet<RingLane>, signal: AbortSignal): Promise<boolean> {
  const stored = await Promise.all([...lanes].map((lane) => lane.stored(signal)))
  return !stored.includes(false)
}

function priorityOf(reading: ParsedReading, sink: DeviceIntake): Priority {
  return reading.priority ?? sink.priority
}

function haveRoom(prepared: readonly Prepared[]): boolean {
  const needs = new Map<RingLane, { slots: number; rawBytes: number }>()
  for (const { sink, series, reading } of prepared) {
    const lane = sink.laneOf(priorityOf(reading, sink))
    const need = needs.get(lane) ?? { slots: 0, rawBytes: 0 }
    need.slots += series.length
    need.rawBytes += reading.raw?.length ?? 0
    needs.set(lane, need)
  }
  return [...needs].every(([{ ring }, { slots, rawBytes }]) => slots <= ring.free && rawBytes <= ring.freeRawBytes)
}

function refusalText(refusal: SeriesRefusal, device: string, channel: string): string {
  const name = `${device.slice(0, 40)}/${channel.slice(0, 40)}`
  return refusal === 'series_limit_reached'
    ? `device_id: ${name} would be one more series than max_series allows`
    : `device_id: ${name}: a device has 1 to 128 characters, a channel 1 to 64, a unit at most 32`
}
