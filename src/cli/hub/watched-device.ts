/** One device read as the hub reads it, with everything that passes told. */
import { QUALITY, type Quality } from '#core/model/quality'
import { systemClock } from '#core/time/clock'
import { BusRegistry } from '../../hub/buses/bus-registry.js'
import { createDeviceChannels } from '../../hub/channels/device-channels.js'
import { createDriver } from '../../hub/devices/device-factory.js'
import { type HubObserver, Observation } from '../../hub/devices/observation.js'
import { ReadingFigures } from '../../hub/devices/reading-figures.js'
import type { Driver, SampleSink } from '../../hub/drivers/driver.js'
import type { WantedDevice } from './wanted-device.js'

/** Values of one instant and one quality, as they go into the store. */
export interface StoredReading {
  readonly takenAtUs: number
  readonly values: readonly { readonly channel: string; readonly unit: string; readonly value: number }[]
  readonly quality: Quality
}

export interface WatchOptions {
  /** Of devices that do not say. Milliseconds. */
  readonly everyMs: number
  /** Ends it. */
  readonly signal: AbortSignal
  readonly observer: HubObserver
  /** Hears what the hub would store, behind the device's channel settings. */
  readonly onStored?: (device: string, reading: StoredReading) => void
}

/**
 * Reads devices until the signal aborts, all have ended, or one is lost. They share buses as in a hub, so two on one
 * line take turns.
 *
 * @throws TLM_BUS_UNAVAILABLE, TLM_PACKAGE_MISSING with the sentence of the fault
 */
export async function watchDevices(devices: readonly WantedDevice[], options: WatchOptions): Promise<void> {
  const observation = new Observation()
  observation.add(options.observer)
  const buses = new BusRegistry({ observation })
  const drivers = devices.map((device) => driverOf(device, buses, options))
  const end = new AbortController()
  const signal = AbortSignal.any([options.signal, end.signal])
  const runs = drivers.map(async (driver) => {
    try {
      await driver.open()
      await driver.run(signal)
    } finally {
      await driver.close()
    }
  })
  // The first that is lost ends all, but buses are closed before anybody hears of it.
  for (const run of runs) run.catch(() => end.abort())
  const outcomes = await Promise.allSettled(runs)
  const lost = outcomes.find((outcome) => outcome.status === 'rejected')
  if (lost !== undefined && !options.signal.aborted) throw lost.reason
}

function driverOf({ name, config }: WantedDevice, buses: BusRegistry, options: WatchOptions): Driver {
  const everyMs = config.device.every ?? options.everyMs
  const watched = new WatchedSink((reading) => options.onStored?.(name, reading))
  const sink = createDeviceChannels(name, config, watched, systemClock) ?? watched
  const figures = config.driver.kind === 'source' ? undefined : new ReadingFigures({ device: name })
  const context = { device: name, sink, clock: systemClock, everyMs }
  return createDriver(config, context, figures, { buses, everyMs: options.everyMs })
}

class WatchedSink implements SampleSink {
  readonly #channels: { channel: string; unit: string }[] = []
  readonly #onReading: (reading: StoredReading) => void

  constructor(onReading: (reading: StoredReading) => void) {
    this.#onReading = onReading
  }

  series(channel: string, unit: string): number {
    const known = this.#channels.findIndex((one) => one.channel === channel)
    return known === -1 ? this.#channels.push({ channel, unit }) - 1 : known
  }

  reading(
    takenAtUs: number,
    series: ArrayLike<number>,
    values: ArrayLike<number>,
    quality: Quality = QUALITY.good,
  ): boolean {
    const named = Array.from(series, (id, i) => ({ ...this.#channels[id]!, value: values[i]! }))
    this.#onReading({ takenAtUs, values: named, quality })
    return true
  }

  async room(): Promise<void> {}

  reject(): void {}
}
