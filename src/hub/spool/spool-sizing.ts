/** How long a spool lasts at the measured rate. Pure: time and counts are told. */

/** The rate is that of so long a time, */
const WINDOW_MS = 60_000
/** and is not told before so long. */
const LEAST_MS = 5000

interface Look {
  atMs: number
  samples: number
  bytes: number
}

export interface SpoolRate {
  bytesPerSecond: number
  samplesPerSecond: number
  bytesPerSample: number
}

/** Measures how fast the hub's batches would fill a spool. Call {@link look} about once a second. */
export class SpoolSizing {
  #looks: Look[] = []

  /** @param samples @param bytes of all batches so far, as they would be in the spool */
  look(atMs: number, samples: number, bytes: number): void {
    this.#looks.push({ atMs, samples, bytes })
    // The newest that is a whole window old is the other end of the rate.
    while (this.#looks.length > 2 && this.#looks[1].atMs <= atMs - WINDOW_MS) this.#looks.shift()
  }

  /** `undefined` until some seconds are measured, and while nothing comes. */
  get rate(): SpoolRate | undefined {
    const first = this.#looks.at(0)
    const last = this.#looks.at(-1)
    if (first === undefined || last === undefined || last.atMs - first.atMs < LEAST_MS) return undefined
    const seconds = (last.atMs - first.atMs) / 1000
    const samples = last.samples - first.samples
    const bytes = last.bytes - first.bytes
    if (samples <= 0 || bytes <= 0) return undefined
    return {
      bytesPerSecond: bytes / seconds,
      samplesPerSecond: samples / seconds,
      bytesPerSample: bytes / samples,
    }
  }
}

/** Seconds until `limitBytes` are reached. */
export function timeToFullS(rate: SpoolRate, sizeBytes: number, limitBytes: number): number {
  return Math.max(0, limitBytes - sizeBytes) / rate.bytesPerSecond
}

/** E.g. `256 MiB holds 40 h 20 min at this rate (10.7 B a sample)`. */
export function holdsText(rate: SpoolRate, limitBytes: number): string {
  const lasts = durationText(limitBytes / rate.bytesPerSecond)
  return `${sizeText(limitBytes)} holds ${lasts} at this rate (${rate.bytesPerSample.toFixed(1)} B a sample)`
}

/** Two units at most: `3 d 4 h`, `40 h 20 min`, `5 min 3 s`, `12 s`. Days from three on. */
export function durationText(seconds: number): string {
  const s = Math.floor(seconds)
  const pair = (large: number, a: string, small: number, b: string) =>
    small === 0 ? `${large} ${a}` : `${large} ${a} ${small} ${b}`
  if (s >= 3 * 86_400) return pair(Math.floor(s / 86_400), 'd', Math.floor((s % 86_400) / 3600), 'h')
  if (s >= 3600) return pair(Math.floor(s / 3600), 'h', Math.floor((s % 3600) / 60), 'min')
  if (s >= 60) return pair(Math.floor(s / 60), 'min', s % 60, 's')
  return `${s} s`
}

/** E.g. `256 MiB`, `1.5 KiB`. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`
}
