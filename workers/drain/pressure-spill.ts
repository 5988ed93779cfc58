import { type SpillState, SpillValve } from '#core/policy/spill-valve'
import type { Clock } from '#core/time/clock'
import type { SealedBatch } from '#core/transport/batch-stream'
import type { Spool } from '../spool/spool.js'

export interface PressureSpillOptions {
  spool: Spool
  clock: Clock
  onChange: () => void
}

/**
 * Holds batches back in the spool while processors are pressed, and counts what that comes to. Thread: the drain worker's.
 */
export class PressureSpill {
  readonly #options: PressureSpillOptions
  readonly #valve: SpillValve
  #lookedAtMs: number

  constructor(options: PressureSpillOptions) {
    this.#options = options
    this.#valve = new SpillValve(options.clock.monotonicMs)
    this.#lookedAtMs = options.clock.monotonicMs()
  }

  get state(): SpillState {
    return this.#valve.state
  }

  get isHolding(): boolean {
    return this.#valve.state === 'holding'
  }

  /** How fast what was held back is sent. */
  get pace(): SpillValve {
    return this.#valve
  }

  set(isWanted: boolean): void {
    this.#valve.want(isWanted)
    this.look()
  }

  /** Call about once a second, and whenever what is in the spool may decide. */
  look(): void {
    const { spool, clock, onChange } = this.#options
    const before = this.#valve.state
    const nowMs = clock.monotonicMs()
    if (before === 'holding') spool.heldBack([], nowMs - this.#lookedAtMs)
    this.#lookedAtMs = nowMs
    const isUsable = spool.problem === undefined
    const batches = spool.counts.heldBatches
    if (this.#valve.look({ fill: spool.fill, isUsable, batches }) !== before) onChange()
  }

  /** Batches were spooled; counts them if that is because of the pressure. */
  spooled(batches: readonly SealedBatch[]): void {
    if (this.isHolding) this.#options.spool.heldBack(batches, 0)
  }
}
