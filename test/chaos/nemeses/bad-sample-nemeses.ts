import type { Conduct } from '../samples.js'
import type { Stage } from '../stage/stage.js'
import type { Nemesis, NemesisKind } from './nemesis.js'

/** Slips a sample in with which the user's handler does something bad. */
class BadSample implements Nemesis {
  readonly #stage: Stage
  readonly #conduct: Conduct

  constructor(stage: Stage, conduct: Conduct) {
    this.#stage = stage
    this.#conduct = conduct
  }

  async strike(): Promise<string> {
    this.#stage.load.slipIn(this.#conduct)
    return this.#conduct
  }

  async heal(): Promise<void> {}
}

const KINDS: readonly [conduct: Conduct, summary: string, perTenMinutes: number, isOptional?: boolean][] = [
  ['flaky', 'a sample with which the handler throws the first time', 15],
  ['bad-throws', 'a sample with which the handler always throws', 8],
  ['bad-exit', 'a sample that ends its handler’s thread', 5],
  ['bad-memory', 'a sample that exhausts its thread’s memory', 2],
  ['bad-abort', 'a sample that ends the whole processor', 2],
  ['bad-loop', 'a sample that makes its handler loop (takes some four minutes of one thread)', 1, true],
]

export const BAD_SAMPLE_NEMESES: readonly NemesisKind[] = KINDS.map(
  ([conduct, summary, perTenMinutes, isOptional = false]) => ({
    name: conduct,
    summary,
    victim: 'load',
    perTenMinutes,
    holdMs: [0, 0],
    isOptional,
    create: (stage) => new BadSample(stage, conduct),
  }),
)
