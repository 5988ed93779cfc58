import type { Clock } from '#core/time/clock'

/** What decides whether a processor is well. */
export interface HealthInputs {
  /** What is wrong with the store; `undefined` while it answers. */
  storeProblem: string | undefined
  sinkProblem: string | undefined
  /** What is wrong with the users' handlers; the others go on. */
  paused?: string | undefined
  /** Entries that wait in shards of this processor or of nobody. */
  waiting: number
  /** Samples leased since the start. */
  leased: number
}

/**
 * `paused`: user handlers whose circuit is open. That is no reason to be restarted: it would not mend them, and everything
 * else goes on.
 */
export type Health =
  | { status: 'ok'; paused?: string }
  | { status: 'degraded'; reason: 'store' | 'sink' | 'stall'; problem: string }

/** How long entries may wait without any being leased. */
const STALL_MS = 30_000

/**
 * Judges by what is done and not by what runs: a processor whose loops are all alive and lease nothing, although there
 * is something to lease, is not well.
 */
export class HealthJudge {
  readonly #clock: Clock
  #leased = 0
  #progressMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#progressMs = clock.monotonicMs()
  }

  /** To be called once in a while: progress is what changed since the last call. */
  judge({ storeProblem, sinkProblem, paused, waiting, leased }: HealthInputs): Health {
    const nowMs = this.#clock.monotonicMs()
    if (leased !== this.#leased || waiting === 0) this.#progressMs = nowMs
    this.#leased = leased
    if (storeProblem !== undefined) return { status: 'degraded', reason: 'store', problem: storeProblem }
    if (sinkProblem !== undefined) return { status: 'degraded', reason: 'sink', problem: sinkProblem }
    const idleMs = nowMs - this.#progressMs
    if (idleMs <= STALL_MS) return { status: 'ok', ...(paused !== undefined && { paused }) }
    const problem = `${waiting} batches wait and none was leased for ${Math.round(idleMs / 1000)} s`
    return { status: 'degraded', reason: 'stall', problem }
  }
}
