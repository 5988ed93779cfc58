import type { AcquisitionCost } from '../drivers/contract/polled-driver.js'
import { type BusSettings, bitsPerByte } from './bus-settings.js'
import { gapMs } from './line-link.js'

/** A byte and its acknowledge (UM10204, 3.1.5); start and stop take about a bit each. */
const I2C_BITS_PER_BYTE = 9
const I2C_FRAME_BITS = 2

/** What a device asks of its bus. */
export interface BusDemand {
  readonly device: string
  readonly everyMs: number
  /** Of one acquisition, worst case. */
  readonly busyMs: number
}

/** How much of a bus its devices need. */
export interface BusLoad {
  /** Of the bus's time; may be over 1. */
  readonly share: number
  /** The one that needs most. */
  readonly heaviest: BusDemand
  /** `every` with which that one fits the budget, milliseconds; `undefined`: the others alone are over it. */
  readonly fittingEveryMs: number | undefined
}

/**
 * Time that one acquisition has the bus, milliseconds: what goes over the wire, the silence between frames of a line,
 * and the device's time to answer where nobody can use it. Files cost nothing.
 *
 * @param clockHz of I2C and SPI: what this device is clocked with
 */
export function acquisitionMs(cost: AcquisitionCost, settings: BusSettings, clockHz: number): number {
  const bytes = cost.transactions.reduce((sum, transaction) => sum + transaction.bytes, 0)
  const count = cost.transactions.length
  const answerMs = cost.answerMs ?? 0
  switch (settings.kind) {
    case 'i2c':
      return ((bytes * I2C_BITS_PER_BYTE + count * I2C_FRAME_BITS) * 1000) / clockHz
    case 'spi':
      return (bytes * 8 * 1000) / clockHz
    case 'serial': {
      const bits = bitsPerByte(settings)
      return (bytes * bits * 1000) / settings.baudRate + count * gapMs(settings.baudRate, bits) + answerMs
    }
    case 'tcp':
      return answerMs
    case 'file':
      return 0
  }
}

/** @param demands at least one */
export function loadOf(demands: readonly BusDemand[], budget: number): BusLoad {
  const shareOf = ({ busyMs, everyMs }: BusDemand) => busyMs / everyMs
  const share = demands.reduce((sum, demand) => sum + shareOf(demand), 0)
  const heaviest = demands.reduce((most, demand) => (shareOf(demand) > shareOf(most) ? demand : most))
  const left = budget - (share - shareOf(heaviest))
  const fittingEveryMs = left > 0 ? roundUp(heaviest.busyMs / left) : undefined
  return { share, heaviest, fittingEveryMs }
}

/** To two digits, so that nobody has to write 118.37 ms. */
function roundUp(ms: number): number {
  const step = 10 ** (Math.floor(Math.log10(ms)) - 1)
  return Number((Math.ceil(ms / step) * step).toPrecision(3))
}
