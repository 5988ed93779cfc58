import { randomBytes } from 'node:crypto'
import type { Clock } from '#core/time/clock'
import type { DeadLetterBox, DeadLetterFilter } from '#core/transport/dead-letters'
import { untilNow } from './letter-count.js'
import { abortNoteName, noteName, ReplayJob, type ReplayRecord, STALE_MS } from './replay-job.js'

/** Records of jobs kept in the store; the oldest that have ended go. */
const KEPT_JOBS = 50
/** Jobs at the same time in one process. */
const MAX_RUNNING = 4

export interface ReplayWish {
  filter: DeadLetterFilter
  /** Letters per second, above 0. */
  ratePerSecond: number
  limit?: number | undefined
  /** Also letters that were replayed as often as they may be. */
  force?: boolean | undefined
}

/** Why a job was not begun. */
export type Refusal = { refused: string }

/** Replays of this process, and the records of all. */
export class ReplayJobs {
  readonly #clock: Clock
  readonly #maxGeneration: number
  readonly #running = new Map<string, ReplayJob>()

  constructor(clock: Clock, maxGeneration: number) {
    this.#clock = clock
    this.#maxGeneration = maxGeneration
  }

  /** Begins a replay of the letters there are now. @throws TLM_STREAM_UNAVAILABLE */
  async start(box: DeadLetterBox, wish: ReplayWish): Promise<ReplayJob | Refusal> {
    if (this.#running.size >= MAX_RUNNING) return busy()
    const { ratePerSecond, limit, force } = wish
    await this.#forgetOldest(box)
    const nowMs = Math.round(this.#clock.nowUs() / 1000)
    const record: ReplayRecord = {
      id: randomBytes(5).toString('hex'),
      state: 'running',
      filter: (await untilNow(box, wish.filter)) ?? { ...wish.filter, toMs: 0 },
      ratePerSecond,
      limit,
      maxGeneration: force ? undefined : this.#maxGeneration,
      counts: { replayed: 0, gone: 0, 'worn-out': 0, bodiless: 0 },
      startedAtMs: nowMs,
      savedAtMs: nowMs,
    }
    return this.#run(record, box)
  }

  /** Goes on with a job that has ended before it was done. `undefined`: no such job. @throws TLM_STREAM_UNAVAILABLE */
  async resume(box: DeadLetterBox, id: string): Promise<ReplayJob | Refusal | undefined> {
    const record = await this.find(box, id)
    if (record === undefined) return undefined
    if (record.state === 'done') return { refused: `Replay ${id} is done: there is nothing to go on with.` }
    if (record.state === 'running') return { refused: `Replay ${id} is under way.` }
    if (this.#running.size >= MAX_RUNNING) return busy()
    await box.writeNote(abortNoteName(id), undefined)
    return this.#run(record, box)
  }

  /** Ends a job, of whichever process, at its next step. @returns whether there is such a job */
  async abort(box: DeadLetterBox, id: string): Promise<boolean> {
    const job = this.#running.get(id)
    if (job !== undefined) {
      job.abort()
      await job.ended
      return true
    }
    const record = await this.find(box, id)
    if (record?.state === 'running') await box.writeNote(abortNoteName(id), 'wanted')
    return record !== undefined
  }

  /** The newest first. A running job whose process has died is `failed`. @throws TLM_STREAM_UNAVAILABLE */
  async list(box: DeadLetterBox): Promise<ReplayRecord[]> {
    const records: ReplayRecord[] = []
    for (const [name, text] of await box.readNotes()) {
      if (!name.startsWith(noteName(''))) continue
      const record = JSON.parse(text) as ReplayRecord
      records.push(this.#running.get(record.id)?.record ?? this.#judged(record))
    }
    return records.sort((a, b) => b.startedAtMs - a.startedAtMs)
  }

  /** As {@link list} has it. @throws TLM_STREAM_UNAVAILABLE */
  async find(box: DeadLetterBox, id: string): Promise<ReplayRecord | undefined> {
    return (await this.list(box)).find((record) => record.id === id)
  }

  /** Ends the jobs of this process; their records tell how far they are. */
  async stop(): Promise<void> {
    for (const job of this.#running.values()) job.abort()
    await Promise.all([...this.#running.values()].map(({ ended }) => ended))
  }

  #run(record: ReplayRecord, box: DeadLetterBox): ReplayJob {
    const job = new ReplayJob(record, box, this.#clock)
    this.#running.set(record.id, job)
    void job.ended.then(() => this.#running.delete(record.id))
    return job
  }

  #judged(record: ReplayRecord): ReplayRecord {
    const isStale = this.#clock.nowUs() / 1000 - record.savedAtMs > STALE_MS
    if (record.state !== 'running' || !isStale) return record
    return { ...record, state: 'failed', problem: 'its process ended before it did' }
  }

  async #forgetOldest(box: DeadLetterBox): Promise<void> {
    const ended = (await this.list(box)).filter(({ state }) => state !== 'running')
    for (const { id } of ended.slice(KEPT_JOBS)) {
      await box.writeNote(noteName(id), undefined)
      await box.writeNote(abortNoteName(id), undefined)
    }
  }
}

function busy(): Refusal {
  return { refused: `${MAX_RUNNING} replays are under way in this process. Abort one, or wait for it.` }
}
