import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { DEAD_LETTER_CLASSES, type DeadLetterClass } from '#core/model/dead-letter'
import { Bisection, type ItemRange } from '#core/policy/bisection'
import type { HandlerEntry } from '#core/protocol/handler-messages'
import type { LeasedEntry } from '#core/transport/batch-stream'
import { packEntries } from './pack-bodies.js'
import type { ShardLoopContext } from './shard-loop-context.js'
import { type IsolationPlan, MAX_DEATHS_ALONE, MAX_DELIVERIES, type SuspectLane } from './suspect-lane.js'

/** Other entries that are run to see whether it is the handler and not the entry. */
const MAX_CONTROLS = 2
/** With more samples that end their run than this, the batch is put aside as a whole: each has cost a thread. */
const MAX_DEADLY_SAMPLES = 2

/** What killed a run, as far as its thread left word. */
export interface Death {
  kind: DeadLetterClass
  message: string
  /** Type of the user's handler that was at work. */
  handler: string | undefined
  /** Index of the entry that was at work. */
  entry: number | undefined
}

export type TrialOutcome =
  /** It may yet be innocent, or it is not the entry's fault: it comes again. */
  | { kind: 'open' }
  /** Its deadly samples are known. */
  | { kind: 'isolated'; plan: IsolationPlan }
  /** All of it is put aside. */
  | { kind: 'convicted'; class: DeadLetterClass; message: string }

/** @param error of a rejected run */
export function deathOf(error: unknown): Death {
  const { class: kind, handler, entry } = error instanceof TelemetryError ? error.details : {}
  return {
    kind: DEAD_LETTER_CLASSES.find((known) => known === kind) ?? 'crash-loop',
    message: messageOf(error),
    handler: typeof handler === 'string' ? handler : undefined,
    entry: typeof entry === 'number' ? entry : undefined,
  }
}

/**
 * Finds out about an entry that ended its thread when it ran alone: whether it is the entry at all, and if so, which of its
 * samples. All of it is done by probes, runs on a copy of the saved state whose results are dropped: nothing takes effect,
 * so it may be cut short at any moment. Thread: main.
 */
export class DeathTrial {
  readonly #context: ShardLoopContext
  readonly #shard: number
  readonly #suspects: SuspectLane
  readonly #hasEnded: () => boolean
  readonly #save: (state: ReadonlyMap<string, Uint8Array | undefined>) => Promise<void>

  /**
   * @param hasEnded whether the shard is being given up: nobody waits for the outcome any more
   * @param save keeps rows of state of the shard
   */
  constructor(
    context: ShardLoopContext,
    shard: number,
    suspects: SuspectLane,
    hasEnded: () => boolean,
    save: (state: ReadonlyMap<string, Uint8Array | undefined>) => Promise<void>,
  ) {
    this.#hasEnded = hasEnded
    this.#save = save
    this.#context = context
    this.#shard = shard
    this.#suspects = suspects
  }

  /**
   * @param others leased entries that wait for their run
   * @param rows the shard's saved state
   */
  async judge(
    entry: LeasedEntry,
    death: Death,
    others: readonly LeasedEntry[],
    rows: ReadonlyMap<string, Uint8Array>,
  ): Promise<TrialOutcome> {
    const { deliveryCount } = entry
    const convicted = (message: string): TrialOutcome => ({ kind: 'convicted', class: death.kind, message })
    if (this.#suspects.planOf(entry) !== undefined) {
      return convicted(`Run without the samples that end their run, it still did: ${death.message}`)
    }
    if (this.#suspects.diedAlone(entry) < MAX_DEATHS_ALONE) return { kind: 'open' }
    if (!(await this.#isEntry(entry, death, others, rows))) return { kind: 'open' }
    const parts = entry.samples > 1 ? await this.#isolate(entry, rows) : undefined
    if (this.#hasEnded()) return { kind: 'open' }
    if (parts === undefined) {
      return convicted(`Delivered ${deliveryCount} times; run alone, it ended its run: ${death.message}`)
    }
    return {
      kind: 'isolated',
      plan: { parts, kind: death.kind, message: `run alone, it ended its run: ${death.message}` },
    }
  }

  /** Whether the entry runs to its end with this handler alone, or with all; what fails is told to the watch. */
  async tryHandler(entry: LeasedEntry, handler: string): Promise<void> {
    const { handlers } = this.#context
    const { correlationId } = entry
    try {
      const results = await this.#probe([{ ...entry, handler }], new Map())
      const error = results[0]?.error
      if (error !== undefined && error.code !== 'TLM_HANDLER_FAILED') handlers.tryAbandoned(handler)
      else handlers.ran(correlationId, handler, 0, undefined, error === undefined ? undefined : handler)
    } catch (error) {
      if (deathOf(error).handler === handler) handlers.died(handler, correlationId)
      else handlers.tryAbandoned(handler)
    }
  }

  /** Whether it is the entry: the handlers start, take the saved state, and run others well. */
  async #isEntry(
    entry: LeasedEntry,
    { handler }: Death,
    others: readonly LeasedEntry[],
    rows: ReadonlyMap<string, Uint8Array>,
  ): Promise<boolean> {
    const { handlers } = this.#context
    if (!(await this.#endsWell([], rows))) return false
    const fit = others.filter((other) => other.handler === entry.handler && this.#mayVouch(other, entry))
    const controls = fit.slice(0, MAX_CONTROLS)
    for (const control of controls) {
      if (await this.#vouches(control, rows)) return true
    }
    // Entries that end their runs side by side would vouch for each other for ever.
    if (handler === undefined) return controls.length === 0 || entry.deliveryCount > MAX_DELIVERIES
    return controls.length === 0 && handlers.hasSucceeded(handler)
  }

  /** What may end the whole process vouches only where nothing runs beside it, and no more once it has done so. */
  #mayVouch(other: LeasedEntry, entry: LeasedEntry): boolean {
    if (!this.#suspects.needsTrial(other)) return true
    return this.#suspects.needsTrial(entry) && !this.#suspects.hasKilledSilently(other)
  }

  /** As in a trial of its own, it is announced first: else nobody would learn which of the two has ended the process. */
  async #vouches(control: LeasedEntry, rows: ReadonlyMap<string, Uint8Array>): Promise<boolean> {
    if (this.#suspects.needsTrial(control)) await this.#save(this.#suspects.announce(control))
    const isWell = await this.#endsWell([control], rows)
    await this.#save(new Map(this.#suspects.takeBack()))
    return isWell
  }

  /** The parts of the entry that run well; `undefined` when too little of it does. */
  async #isolate(entry: LeasedEntry, rows: ReadonlyMap<string, Uint8Array>): Promise<ItemRange[] | undefined> {
    const search = new Bisection({ from: 0, to: entry.samples }, MAX_DEADLY_SAMPLES)
    for (let range = search.next(); range !== undefined && !this.#hasEnded(); range = search.next()) {
      const share = (range.to - range.from) / entry.samples
      if (await this.#endsWell([{ ...entry, parts: [range] }], rows, share)) search.passed()
      else search.failed()
    }
    return search.isGivenUp || search.good.length === 0 ? undefined : search.good
  }

  async #endsWell(
    entries: readonly (LeasedEntry & Pick<HandlerEntry, 'parts'>)[],
    rows: ReadonlyMap<string, Uint8Array>,
    deadlineShare = 1,
  ): Promise<boolean> {
    try {
      await this.#probe(entries, rows, deadlineShare)
      return true
    } catch (error) {
      const { handler } = deathOf(error)
      if (handler !== undefined && entries.length > 0) this.#context.handlers.died(handler, entries[0].correlationId)
      return false
    }
  }

  async #probe(
    entries: readonly (LeasedEntry & Pick<HandlerEntry, 'parts'>)[],
    rows: ReadonlyMap<string, Uint8Array>,
    deadlineShare = 1,
  ) {
    const { pool, probes } = this.#context
    probes.runs++
    const request = { shard: this.#shard, ...packEntries(entries), rows, checkpoint: false, isProbe: true }
    const { results } = await pool.run(request, { deadlineShare })
    return results
  }
}
