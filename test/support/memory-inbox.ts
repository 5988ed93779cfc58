import { setTimeout as delay } from 'node:timers/promises'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { InboxEntry, InboxSettlement, OwnedInbox, TaskInbox } from '#core/transport/task-inbox'

/** Calls of an inbox that tests make fail. */
export type InboxCall = 'own' | 'lease' | 'settle' | 'release'

/** The contract of `transport/task-inbox` in memory: any call can be made to fail, before or after it took effect. */
export class MemoryInbox implements TaskInbox {
  readonly deadLetters: { id: string; class: string; message: string }[] = []
  /** Called before each call; throws, or gives `'after'` to throw once the call has taken effect. */
  fault: (call: InboxCall) => undefined | 'after' = () => undefined
  readonly #tasks: InboxEntry[] = []
  #nextSeq = 1
  #token = 0
  #isOwned = false

  push(text: string): void {
    const seq = this.#nextSeq++
    this.#tasks.push({ id: String(seq), seq, body: new TextEncoder().encode(text) })
  }

  /** As when the owner's process dies: the next `own` succeeds, and finds what was not settled. */
  disown(): void {
    this.#isOwned = false
    this.#token++
  }

  async own(): Promise<OwnedInbox | undefined> {
    return this.#call('own', () => {
      if (this.#isOwned) return undefined
      this.#isOwned = true
      return this.#owned(++this.#token)
    })
  }

  async backlog(): Promise<number> {
    return this.#tasks.length
  }

  async close(): Promise<void> {}

  #owned(token: number): OwnedInbox {
    let cursor = 0
    const isOurs = () => token === this.#token
    return {
      lease: async (maxEntries, waitMs, signal) => {
        const entries = await this.#call('lease', () =>
          isOurs() ? this.#tasks.filter(({ seq }) => seq > cursor).slice(0, maxEntries) : [],
        )
        cursor = entries.at(-1)?.seq ?? cursor
        if (entries.length === 0) await delay(Math.min(waitMs, 5), undefined, { signal }).catch(() => {})
        return entries
      },
      renew: async () => isOurs(),
      settle: (settlement) => this.#call('settle', () => this.#settle(settlement, isOurs())),
      release: () =>
        this.#call('release', () => {
          if (isOurs()) this.disown()
        }),
    }
  }

  #settle({ ack, deadLetter }: InboxSettlement, isOurs: boolean): { kind: 'settled' | 'fenced' } {
    if (!isOurs) return { kind: 'fenced' }
    this.deadLetters.push(...deadLetter)
    const gone = new Set([...ack, ...deadLetter.map(({ id }) => id)])
    this.#tasks.splice(0, this.#tasks.length, ...this.#tasks.filter(({ id }) => !gone.has(id)))
    return { kind: 'settled' }
  }

  async #call<T>(call: InboxCall, effect: () => T): Promise<T> {
    const failure = new TelemetryError('TLM_STREAM_UNAVAILABLE', `The inbox failed in ${call} as the test asked.`)
    let fault: undefined | 'after'
    try {
      fault = this.fault(call)
    } catch {
      throw failure
    }
    await delay(0)
    const result = effect()
    if (fault === 'after') {
      // A claim whose reply was lost is found again by its claimant.
      if (call === 'own' && result !== undefined) this.disown()
      throw failure
    }
    return result
  }
}
