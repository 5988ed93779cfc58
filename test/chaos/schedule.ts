import { Random } from '#src/hub/drivers/sim/random'
import type { NemesisKind } from './nemeses/nemesis.js'

/** One strike as planned. */
export interface Strike {
  /** From the start of the storm. Milliseconds. */
  atMs: number
  kind: NemesisKind
  holdMs: number
  /** Of the strike's own random numbers. */
  seed: number
}

/** Nemeses that strike so often in ten minutes strike in every storm, however short. */
const COMMON = 4

/**
 * Plans a storm: each nemesis strikes in proportion to the duration, the common ones at least once, at a random
 * moment of each of its equal shares of the time. The same seed, duration and nemeses give the same plan.
 */
export function planStorm(seed: number, durationMs: number, kinds: readonly NemesisKind[]): Strike[] {
  const random = new Random(seed)
  const strikes: Strike[] = []
  for (const kind of kinds) {
    const least = kind.perTenMinutes >= COMMON ? 1 : 0
    const count = Math.max(least, Math.round((kind.perTenMinutes * durationMs) / 600_000))
    const shareMs = durationMs / count
    for (let share = 0; share < count; share++) {
      const [shortest, longest] = kind.holdMs
      strikes.push({
        atMs: Math.round((share + random.next()) * shareMs),
        kind,
        holdMs: Math.round(shortest + random.next() * (longest - shortest)),
        seed: random.nextInt(),
      })
    }
  }
  return strikes.sort((a, b) => a.atMs - b.atMs)
}
