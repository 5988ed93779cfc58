import type { Journal } from './oracle/journal.js'
import type { EffectsReader } from './stage/effects-reader.js'

export interface Recovery {
  nemesis: string
  /** From the heal until the first sample that was offered after it took effect. Milliseconds. */
  firstMs: number | undefined
  /** Until one of every device did. */
  allMs: number | undefined
  /** Whether another strike came before that. */
  isDisturbed: boolean
}

interface Pending {
  recovery: Recovery
  healedMs: number
  /** Devices that are waited for, and the numbers from which on. */
  from: Map<string, number>
  total: number
}

/** Measures how soon samples take effect again after each heal. */
export class RecoveryWatch {
  readonly recoveries: Recovery[] = []
  readonly #journal: Journal
  readonly #effects: EffectsReader
  readonly #devices: readonly string[]
  #pending: Pending[] = []

  constructor(journal: Journal, effects: EffectsReader, devices: readonly string[]) {
    this.#journal = journal
    this.#effects = effects
    this.#devices = devices
  }

  /** Whether every heal so far was followed by samples of every device. */
  get isIdle(): boolean {
    return this.#pending.length === 0
  }

  healed(nemesis: string): void {
    const recovery: Recovery = { nemesis, firstMs: undefined, allMs: undefined, isDisturbed: false }
    this.recoveries.push(recovery)
    const from = new Map(this.#devices.map((device) => [device, this.#journal.next(device)]))
    this.#pending.push({ recovery, healedMs: performance.now(), from, total: from.size })
  }

  /** A strike hits: what has not recovered by now is disturbed. */
  struck(): void {
    for (const { recovery } of this.#pending) recovery.isDisturbed = true
  }

  /** Called again and again, after the effects were read. Cost: one look per pending device. */
  look(): void {
    const nowMs = performance.now()
    for (const { recovery, healedMs, from, total } of this.#pending) {
      for (const [device, number] of from) if (this.#effects.newest(device) >= number) from.delete(device)
      if (from.size < total) recovery.firstMs ??= nowMs - healedMs
      if (from.size === 0) recovery.allMs = nowMs - healedMs
    }
    this.#pending = this.#pending.filter(({ from }) => from.size > 0)
  }
}
