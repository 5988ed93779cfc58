import type { LeasedEntry, RetryOrder } from '#core/transport/batch-stream'
import type { EntryAdmission } from '../dispatch/handler-watch.js'
import type { DeathTrial } from './death-trial.js'
import type { RunEntry } from './entry-judge.js'
import { putBack } from './entry-verdict.js'
import type { ShardLoopContext } from './shard-loop-context.js'
import type { SuspectLane } from './suspect-lane.js'

/** Leased entries, in order: those for the next run, those that are put back, and the first that are left. */
export interface GatedEntries {
  run: RunEntry[]
  held: RetryOrder[]
  rest: LeasedEntry[]
}

/**
 * Decides which of the entries that are ready make up the next run, and how each is run: a suspect alone, others up to the
 * next suspect; without a handler whose circuit is open, which gets one entry on trial when it is time. Thread: main.
 */
export class EntryGate {
  readonly #context: ShardLoopContext
  readonly #suspects: SuspectLane
  readonly #trial: DeathTrial

  constructor(context: ShardLoopContext, suspects: SuspectLane, trial: DeathTrial) {
    this.#context = context
    this.#suspects = suspects
    this.#trial = trial
  }

  /**
   * @param ready more may be added behind while this waits for a trial; what is added then is not looked at
   * @returns each of the entries that were there, once
   */
  async next(ready: readonly LeasedEntry[]): Promise<GatedEntries> {
    const entries = [...ready]
    const gated: GatedEntries = { run: [], held: [], rest: [] }
    for (const [index, entry] of entries.entries()) {
      const isSuspect = this.#suspects.isSuspect(entry)
      if (isSuspect && gated.run.length > 0) return { ...gated, rest: entries.slice(index) }
      let admission = this.#admit(entry)
      while (admission.kind === 'try') {
        await this.#trial.tryHandler(entry, admission.handler)
        admission = this.#admit(entry)
      }
      if (admission.kind === 'wait') {
        gated.held.push(putBack(entry, admission.afterMs))
        this.#context.held.handler_paused++
        continue
      }
      gated.run.push(this.#howToRun(entry, admission.skip))
      if (isSuspect) return { ...gated, rest: entries.slice(index + 1) }
    }
    return gated
  }

  /** An entry that leaves in parts cannot be kept for another handler as well: it waits for that one. */
  #admit(entry: LeasedEntry): EntryAdmission {
    const { handlers } = this.#context
    const admission = handlers.admit(entry.handler)
    if (admission.kind !== 'run' || admission.skip === undefined || !this.#suspects.planOf(entry)) return admission
    return { kind: 'wait', handler: admission.skip, afterMs: handlers.pauseMs(admission.skip) }
  }

  #howToRun(entry: LeasedEntry, skip: string | undefined): RunEntry {
    const isLast = entry.attempts >= this.#context.settings.maxRetries && skip === undefined
    const parts = this.#suspects.planOf(entry)?.parts
    if (skip === undefined && !isLast && parts === undefined) return entry
    return { ...entry, ...(skip !== undefined && { skip }), ...(isLast && { isolate: true }), ...(parts && { parts }) }
  }
}
