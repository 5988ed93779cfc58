import type { DeadLetterClass } from '#core/model/dead-letter'
import type { DeadSample, HandlerEntry, HandlerEntryResult } from '#core/protocol/handler-messages'
import type { DeadLetterOrder, LeasedEntry } from '#core/transport/batch-stream'
import type { Remainder } from './applied-entries.js'
import { deadSampleOf, failedHandler, putBack, type Verdict, verdictOn } from './entry-verdict.js'
import type { ShardLoopContext } from './shard-loop-context.js'
import type { SuspectLane } from './suspect-lane.js'

/** A leased entry, and how it is to be run. */
export type RunEntry = LeasedEntry & Pick<HandlerEntry, 'skip' | 'isolate' | 'parts'>

export type Judgement = { kind: 'applied'; remainder: Remainder } | Verdict

/** Decides what a run means for each of its entries, and tells the watch over the handlers. Thread: main. */
export class EntryJudge {
  readonly #context: ShardLoopContext
  readonly #suspects: SuspectLane

  constructor(context: ShardLoopContext, suspects: SuspectLane) {
    this.#context = context
    this.#suspects = suspects
  }

  judge(entry: RunEntry, { error, dead = [] }: HandlerEntryResult): Judgement {
    const { handlers, settings, random } = this.#context
    const { correlationId, handler, attempts, skip } = entry
    const isRead = error === undefined || error.code === 'TLM_HANDLER_FAILED'
    if (isRead) handlers.ran(correlationId, handler, attempts, skip, failedHandler(error))
    if (error === undefined) return { kind: 'applied', remainder: this.#remainder(entry, dead) }
    const verdict = verdictOn(entry, error, {
      maxRetries: settings.maxRetries,
      random,
      pauseMs: (type) => (type !== undefined && handlers.isPaused(type) ? handlers.pauseMs(type) : undefined),
      retryAfterMs: (type, attempts) => handlers.retryAfterMs(type, attempts),
    })
    if (skip === undefined || verdict.kind !== 'dead-letter') return verdict
    if (verdict.deadLetter.class !== 'handler-error') return verdict
    // It is owed to the handler that was left out, and was not isolated: its last attempt waits for that handler.
    const retry = putBack(entry, handlers.pauseMs(skip))
    return { kind: 'hold', reason: 'handler_paused', retry }
  }

  #remainder(entry: RunEntry, dead: readonly DeadSample[]): Remainder {
    const { skip } = entry
    if (dead.length > 0) return { dead: dead.map((sample) => this.#deadLetter(entry, sample)) }
    if (skip === undefined) return {}
    return { retry: { ...putBack(entry, this.#context.handlers.pauseMs(skip)), handler: skip } }
  }

  #deadLetter(entry: RunEntry, sample: DeadSample): DeadLetterOrder {
    const { error } = sample
    const reason: { kind: DeadLetterClass; message: string } = error
      ? { kind: 'handler-error', message: error.message }
      : (this.#suspects.planOf(entry) ?? { kind: 'crash-loop', message: 'it ended its run' })
    return deadSampleOf(entry, sample, reason)
  }
}
