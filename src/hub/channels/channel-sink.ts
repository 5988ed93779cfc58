import { TelemetryError } from '#core/errors/telemetry-error'
import { QUALITY, QUALITY_NAMES, type Quality } from '#core/model/quality'
import type { Clock } from '#core/time/clock'
import type { Channel } from '../drivers/contract/manifest.js'
import type { SampleSink } from '../drivers/driver.js'
import { ChannelCounts, type ChannelFigures } from './channel-counts.js'
import { ChannelPipeline } from './channel-pipeline.js'
import type { ChannelSettings, ChannelSettingsMap } from './channel-settings.js'
import { conversion, convertibleTo, unitSymbol } from './units.js'

export interface ChannelSinkOptions {
  device: string
  inner: SampleSink
  settings: ChannelSettingsMap
  /** What the driver says of its channels; empty when it knows them only when it sees them. */
  declared: readonly Channel[]
  /** Serial number of the sensor that is connected; absent: not known. */
  sensorSerial: string | undefined
  /** Of channels that do not say; absent: they are never stale. */
  staleAfterMs: number | undefined
  clock: Clock
}

/** One channel as the driver knows it. */
interface Bound {
  /** Id at the inner sink; absent: its values are left out here. */
  readonly series: number | undefined
  /** Absent: nothing happens to its values. */
  readonly pipeline: ChannelPipeline | undefined
}

/** Values of one reading that have one quality; reused. Arrays that are emptied lose their memory: these are written over. */
interface Group {
  readonly quality: Quality
  readonly series: number[]
  readonly values: number[]
  count: number
}

const AS_IT_IS = { gain: 1, offset: 0 }

/**
 * A device's intake with the channel pipelines before it: whatever the driver, it hands in what it decoded, and the ring
 * gets what is left. A reading whose values differ in quality goes on as one reading per quality, all of one instant.
 *
 * Thread: the hub's main thread.
 */
export class ChannelSink implements SampleSink {
  readonly #options: ChannelSinkOptions
  readonly #bound: Bound[] = []
  readonly #ids = new Map<string, number>()
  readonly #groups: readonly Group[]
  /** Groups of the reading at hand that have values, in the order of their first. */
  readonly #waiting: Group[] = []
  #waitingCount = 0
  /** Of those, so many are in the ring. */
  #sentCount = 0
  /** The reading whose groups the inner sink has not all taken: offered again, it must not be filtered again. */
  #held: { takenAtUs: number; series: number[]; values: number[] } | undefined
  #raw: Uint8Array | undefined
  #newestUs = Number.NEGATIVE_INFINITY

  constructor(options: ChannelSinkOptions) {
    this.#options = options
    this.#groups = QUALITY_NAMES.map((name) => ({ quality: QUALITY[name], series: [], values: [], count: 0 }))
  }

  /** @throws TLM_OPTIONS_INVALID the configured unit is not one that the driver's converts to */
  series(channel: string, unit: string): number | undefined {
    const known = this.#ids.get(channel)
    if (known !== undefined) return known
    const bound = this.#bind(channel, unit)
    if (bound === undefined) return undefined
    const id = this.#bound.push(bound) - 1
    this.#ids.set(channel, id)
    return id
  }

  reading(
    takenAtUs: number,
    series: ArrayLike<number>,
    values: ArrayLike<number>,
    quality: Quality = QUALITY.good,
    raw?: Uint8Array,
    isRecorded?: boolean,
  ): boolean {
    if (!this.#isHeld(takenAtUs, series, values)) this.#sort(takenAtUs, series, values, quality, raw)
    for (; this.#sentCount < this.#waitingCount; this.#sentCount++) {
      const group = this.#waiting[this.#sentCount]
      if (group.values.length !== group.count) {
        group.series.length = group.count
        group.values.length = group.count
      }
      const isTaken = this.#options.inner.reading(
        takenAtUs,
        group.series,
        group.values,
        group.quality,
        this.#raw,
        isRecorded,
      )
      if (!isTaken) {
        this.#held ??= { takenAtUs, series: Array.from(series), values: Array.from(values) }
        return false
      }
      this.#raw = undefined
    }
    this.#held = undefined
    return true
  }

  room(): Promise<void> {
    return this.#options.inner.room()
  }

  reject(reason: string, detail?: string): void {
    this.#options.inner.reject(reason, detail)
  }

  /** Hands in one sample of quality stale, with the last value, for each channel that has become so. */
  lookForStale(): void {
    // The ring was full a moment ago: silence is not what is wrong then.
    if (this.#held !== undefined) return
    const { clock, inner } = this.#options
    const nowMs = clock.monotonicMs()
    for (const { series, pipeline } of this.#bound) {
      if (series === undefined || !pipeline?.becomesStale(nowMs)) continue
      const atUs = Math.max(clock.nowUs(), this.#newestUs)
      if (!inner.reading(atUs, [series], [pipeline.value], QUALITY.stale)) this.reject('stale_while_full')
    }
  }

  /** How often {@link lookForStale} should be called, milliseconds; `undefined`: no channel becomes stale. */
  get lookEveryMs(): number | undefined {
    const limits = [this.#options.staleAfterMs, ...[...this.#options.settings.values()].map((own) => own.staleAfterMs)]
    const shortest = Math.min(...limits.filter((limit) => limit !== undefined))
    return Number.isFinite(shortest) ? Math.min(1000, Math.max(20, shortest / 4)) : undefined
  }

  /** The device was opened anew. */
  restart(): void {
    for (const { pipeline } of this.#bound) pipeline?.restart()
  }

  /** The device has stopped because it was told to. */
  rest(): void {
    for (const { pipeline } of this.#bound) pipeline?.rest()
  }

  figures(): ChannelFigures[] {
    return this.#bound.flatMap(({ pipeline }) => (pipeline === undefined ? [] : [pipeline.counts]))
  }

  #bind(channel: string, unit: string): Bound | undefined {
    const { settings, inner, device, declared, sensorSerial, staleAfterMs } = this.#options
    const own = { ...settings.get('*'), ...settings.get(channel) }
    const manifest = declared.find(({ name }) => name === channel)
    const name = own.name ?? channel
    const counts = new ChannelCounts(device, name)
    const isForeign = own.calibration?.serial !== undefined && own.calibration.serial !== sensorSerial
    const pipelineWith = (steps: { gain: number; offset: number }) =>
      new ChannelPipeline({
        settings: own,
        declared: manifest,
        conversion: steps,
        isForeign,
        staleAfterMs: own.staleAfterMs ?? staleAfterMs,
        counts,
      })
    if (own.enabled === false) return { series: undefined, pipeline: pipelineWith(AS_IT_IS) }
    const { symbol, steps } = this.#unitOf(channel, unit, own)
    const series = inner.series(name, symbol)
    if (series === undefined) return undefined
    const isPlain = Object.keys(own).every((key) => key === 'name') && manifest === undefined
    return { series, pipeline: isPlain && staleAfterMs === undefined ? undefined : pipelineWith(steps) }
  }

  #unitOf(channel: string, unit: string, { unit: wanted }: ChannelSettings) {
    if (wanted === undefined) return { symbol: unit, steps: AS_IT_IS }
    // A driver that does not know the unit is told it.
    if (unit === '') return { symbol: unitSymbol(wanted), steps: AS_IT_IS }
    const steps = conversion(unit, wanted)
    if (steps !== undefined) return { symbol: unitSymbol(wanted), steps }
    const known = convertibleTo(unit)
    const others = known.length === 0 ? `${unit} converts to nothing else` : `${unit} converts to ${known.join(', ')}`
    const where = `devices.${this.#options.device}.channels.${channel}.unit`
    throw new TelemetryError('TLM_OPTIONS_INVALID', `${where} is ${wanted}: ${others}. Choose one of those.`)
  }

  /** Sends each value through its channel's pipeline, and sorts what comes out by quality. */
  #sort(takenAtUs: number, series: ArrayLike<number>, values: ArrayLike<number>, quality: Quality, raw?: Uint8Array) {
    const nowMs = this.#options.clock.monotonicMs()
    for (let index = 0; index < this.#waitingCount; index++) this.#waiting[index].count = 0
    this.#waitingCount = 0
    this.#sentCount = 0
    this.#held = undefined
    this.#raw = raw
    if (takenAtUs > this.#newestUs) this.#newestUs = takenAtUs
    for (let index = 0; index < values.length; index++) {
      const value = values[index]
      const bound = this.#bound[series[index]]
      if (bound === undefined) this.reject('series_unknown', String(series[index]))
      else if (value - value !== 0) this.reject('value_not_finite', String(value))
      else if (bound.pipeline === undefined) this.#put(bound.series!, value, quality)
      else if (bound.pipeline.take(value, takenAtUs, quality, nowMs)) {
        this.#put(bound.series!, bound.pipeline.value, bound.pipeline.quality)
      }
    }
  }

  #put(series: number, value: number, quality: Quality): void {
    const group = this.#groups[quality]
    if (group.count === 0) this.#waiting[this.#waitingCount++] = group
    group.series[group.count] = series
    group.values[group.count++] = value
  }

  #isHeld(takenAtUs: number, series: ArrayLike<number>, values: ArrayLike<number>): boolean {
    const held = this.#held
    if (held === undefined || held.takenAtUs !== takenAtUs || held.values.length !== values.length) return false
    return held.values.every((value, index) => Object.is(value, values[index]) && held.series[index] === series[index])
  }
}
