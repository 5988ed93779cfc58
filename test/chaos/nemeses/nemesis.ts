import type { Random } from '#src/hub/drivers/sim/random'
import type { Stage } from '../stage/stage.js'

/** One thing that goes wrong once: made for one strike. */
export interface Nemesis {
  /** @returns what was hit, in a few words; `undefined` when there was nothing to hit */
  strike(random: Random): Promise<string | undefined>
  /** Makes good again what can be; called once after a strike that hit. */
  heal(): Promise<void>
}

/** A kind of nemesis. */
export interface NemesisKind {
  readonly name: string
  readonly summary: string
  /** What it takes for itself: two of the same kind of victim do not overlap. */
  readonly victim: 'processor' | 'frozen-processor' | 'hub' | 'redis' | 'hub-network' | 'processor-network' | 'load'
  /** Strikes in ten minutes. */
  readonly perTenMinutes: number
  /** From strike to heal, at least and at most. Milliseconds. */
  readonly holdMs: readonly [number, number]
  /** Only when asked for by name. */
  readonly isOptional?: boolean
  create(stage: Stage): Nemesis
}

/** One of a list; `undefined` of an empty one. */
export function pick<T>(list: readonly T[], random: Random): T | undefined {
  return list[Math.floor(random.next() * list.length)]
}
