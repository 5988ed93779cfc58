import type { Quality } from '#core/model/quality'

/** What a bus is to a driver. `file`: the kernel's own drivers, read through files. */
export const BUS_KINDS = ['i2c', 'spi', 'serial', 'tcp', 'file'] as const
export type BusKind = (typeof BUS_KINDS)[number]

/** A value that a chip gives when it has measured nothing, or not yet. */
export interface Sentinel {
  /** In the channel's unit, as the chip's arithmetic gives it. */
  readonly value: number
  readonly quality: Quality
  /** What it stands for, in a few words. */
  readonly meaning: string
}

/** One quantity that a device measures. */
export interface Channel {
  /** At most 64 characters, snake_case. */
  readonly name: string
  /** What is measured, e.g. `temperature`. */
  readonly quantity: string
  /** UCUM symbol of what `decode` gives, e.g. `Cel`, `Pa`, `%`, `V`, `m/s2`; empty for a count. */
  readonly unit: string
  /** What the sensor can measure at all, in `unit`: beyond it a value is of quality `range`. */
  readonly range?: readonly [min: number, max: number]
  /** Smallest step, in `unit`. */
  readonly resolution?: number
  readonly sentinels?: readonly Sentinel[]
}

/** How a driver knows its chip without being told. */
export interface Probe {
  /** What is looked at, for `hub scan`, e.g. `register 0xD0 reads 0x60`. */
  readonly rule: string
  /** `false`: nothing on the chip tells what it is, an address alone is no proof. */
  readonly isCertain: boolean
}

/** What a probe saw of its chip. */
export interface ProbeFind {
  /** `false`: others answer like that, too. */
  readonly isCertain: boolean
  /** What was seen, e.g. `register 0xD0 reads 0x60`. */
  readonly seen: string
}

/** What a driver says of itself; shown by `hub drivers`. */
export interface DriverManifest {
  /** The word after `driver:`, and the name of its folder. */
  readonly name: string
  /** One line. */
  readonly summary: string
  /** Datasheet or standard with its revision, the source of the arithmetic. */
  readonly source: string
  /** Empty: needs no bus of the hub. */
  readonly buses: readonly BusKind[]
  /** 7-bit I2C addresses that the chip can have, the usual one first. */
  readonly addresses?: readonly number[]
  /** Highest clock of the bus, Hz. */
  readonly maxClockHz?: number
  readonly probe?: Probe
}
