import { setTimeout as pause } from 'node:timers/promises'
import { Random } from '#src/hub/drivers/sim/random'
import type { NemesisKind } from './nemeses/nemesis.js'
import { type Recovery, RecoveryWatch } from './recovery.js'
import type { Strike } from './schedule.js'
import type { Stage } from './stage/stage.js'
import { Tally } from './stage/tally.js'

/** Effects are read so often: the resolution of recovery times. */
const LOOK_MS = 50

/** The load goes on for so long at most until the last faults are recovered from. */
const LAST_RECOVERY_MS = 30_000

export interface StormResult {
  /** Strikes that hit, by nemesis. */
  strikes: Record<string, number>
  /** Strikes that found nothing to hit. */
  missed: Record<string, number>
  recoveries: Recovery[]
}

/** Carries out a planned storm: strikes at their times, or as soon as their victim is free. */
export class Storm {
  readonly #stage: Stage
  readonly #say: (line: string) => void
  readonly #watch: RecoveryWatch
  readonly #strikes = new Tally()
  readonly #missed = new Tally()
  /** By victim: until when it is taken. */
  readonly #turns = new Map<NemesisKind['victim'], Promise<void>>()
  #startedMs = 0

  constructor(stage: Stage, say: (line: string) => void) {
    this.#stage = stage
    this.#say = say
    this.#watch = new RecoveryWatch(stage.journal, stage.effects, stage.devices)
  }

  /** Resolves when all strikes are healed, the duration has passed and samples take effect again. */
  async run(plan: readonly Strike[], durationMs: number): Promise<StormResult> {
    this.#startedMs = performance.now()
    const looking = setInterval(() => this.#look(), LOOK_MS)
    try {
      for (const strike of plan) {
        await pause(Math.max(0, this.#startedMs + strike.atMs - performance.now()))
        const { victim } = strike.kind
        const turn = (this.#turns.get(victim) ?? Promise.resolve()).then(() => this.#carryOut(strike))
        // A failure shows when all turns are awaited; later turns of this victim are passed over.
        turn.catch(() => {})
        this.#turns.set(victim, turn)
      }
      await Promise.all(this.#turns.values())
      await pause(Math.max(0, this.#startedMs + durationMs - performance.now()))
      const untilMs = performance.now() + LAST_RECOVERY_MS
      while (!this.#watch.isIdle && performance.now() < untilMs) await pause(LOOK_MS)
    } finally {
      clearInterval(looking)
    }
    this.#look()
    return {
      strikes: this.#strikes.toObject(),
      missed: this.#missed.toObject(),
      recoveries: this.#watch.recoveries,
    }
  }

  async #carryOut({ kind, holdMs, seed }: Strike): Promise<void> {
    const nemesis = kind.create(this.#stage)
    const hit = await nemesis.strike(new Random(seed))
    if (hit === undefined) {
      this.#missed.add(kind.name)
      return
    }
    this.#strikes.add(kind.name)
    if (kind.victim !== 'load') this.#watch.struck()
    const atSeconds = ((performance.now() - this.#startedMs) / 1000).toFixed(1)
    this.#say(`${atSeconds.padStart(6)} s  ${kind.name}: ${hit}${holdMs > 0 ? `, ${holdMs} ms` : ''}`)
    await pause(holdMs)
    await nemesis.heal()
    if (kind.victim !== 'load') this.#watch.healed(kind.name)
  }

  #look(): void {
    this.#stage.effects.readNew()
    this.#watch.look()
  }
}
