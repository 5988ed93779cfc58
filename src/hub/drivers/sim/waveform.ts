const TURN = 2 * Math.PI
const DAY_US = 86_400_000_000
const HOUR_RAD = TURN / 24

/** `original` is the wave of the first TelemetryHub; the others are plausible days of a room sensor. */
export type SimProfile = 'original' | 'temperature' | 'humidity' | 'pressure'

export interface Waveform {
  readonly channel: string
  readonly unit: string
  /** Standard deviation of the noise that goes on top. */
  readonly sigma: number
  /**
   * The value without noise.
   *
   * @param index number of the reading, from 0
   * @param takenAtUs microseconds since the Unix epoch
   */
  level(index: number, takenAtUs: number): number
}

/** Hours are UTC. The warmest hour is 15, when the air is driest; pressure swings over days and twice a day (the air tide). */
export const WAVEFORMS: Readonly<Record<SimProfile, Waveform>> = {
  original: { channel: 'value', unit: 'arb.units', sigma: 0.1, level: (index) => 42 + sine(index / 10) },
  temperature: {
    channel: 'temperature',
    unit: 'celsius',
    sigma: 0.05,
    level: (_index, takenAtUs) => 21 + 4 * sine(dayAngle(takenAtUs) - 9 * HOUR_RAD),
  },
  humidity: {
    channel: 'humidity',
    unit: 'percent',
    sigma: 0.3,
    level: (_index, takenAtUs) => 50 - 12 * sine(dayAngle(takenAtUs) - 9 * HOUR_RAD),
  },
  pressure: {
    channel: 'pressure',
    unit: 'hPa',
    sigma: 0.05,
    level: (_index, takenAtUs) => {
      const day = takenAtUs / DAY_US
      return 1013.25 + 6 * sine((TURN * day) / 5) + sine(2 * dayAngle(takenAtUs) - 8 * HOUR_RAD)
    },
  },
}

function dayAngle(takenAtUs: number): number {
  return TURN * ((takenAtUs % DAY_US) / DAY_US)
}

/** `Math.sin` reduces arguments beyond 800 000 by a slow path; readings get there within days. Error below 1e-7. */
function sine(angle: number): number {
  return Math.sin(angle - TURN * Math.floor(angle / TURN))
}
