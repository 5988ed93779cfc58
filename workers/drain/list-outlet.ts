import { createHash } from 'node:crypto'
import { formatTask } from '#core/codec/task-json'
import { PAYLOAD_FIELDS } from '#core/codec/task-reading'
import type { SampleColumns } from '#core/model/columns'
import type { Priority } from '#core/model/priority'
import type { TelemetryTask } from '#core/model/task'
import type { ListPublish } from '#core/protocol/drain-messages'
import type { AppendOutcome } from '#core/transport/batch-stream'
import { type ListPublisher, openListPublisher } from '#core/transport/redis/list-publisher'
import type { Outlet, Parcel } from './outlet.js'
import type { SeriesCatalogue } from './series-catalogue.js'

type Channel = TelemetryTask['channels'][number]

/** As the seed has it. */
const MAX_RETRIES = 3

/** The readings of one chunk as tasks of the seed's shape. */
export interface TaskParcel extends Parcel {
  readonly tasks: readonly string[]
  /** So many of the tasks are certainly in the list. */
  pushed: number
}

export interface ListOutletOptions {
  publish: ListPublish
  catalogue: SeriesCatalogue
  producer: string
  epoch: number
}

/** @throws TLM_STREAM_UNAVAILABLE, TLM_STREAM_MISCONFIGURED */
export async function openListOutlet(options: ListOutletOptions): Promise<ListOutlet> {
  return new ListOutlet(await openListPublisher(options.publish.redis), options)
}

/**
 * Turns each reading into one JSON task and pushes it to the list that consumers of the seed's kind pop from. A list
 * does not recognise what it had before: a push whose reply was lost is repeated, so delivery is at least once. The
 * repeated task has the same id.
 */
export class ListOutlet implements Outlet<TaskParcel> {
  readonly shards = 1
  readonly #publisher: ListPublisher
  readonly #options: ListOutletOptions
  #latest: Promise<unknown> = Promise.resolve()
  #calls = 0
  #failure: AppendOutcome | undefined

  constructor(publisher: ListPublisher, options: ListOutletOptions) {
    this.#publisher = publisher
    this.#options = options
  }

  /** The last reading of a full chunk may go on behind it: then it is left for the next chunk. */
  wholeRows(columns: SampleColumns, isFull: boolean): number {
    if (!isFull) return columns.count
    const start = this.#readingStart(columns, columns.count - 1)
    return start === 0 ? columns.count : start
  }

  cut(columns: SampleColumns, seqs: Float64Array): TaskParcel[] {
    const tasks: string[] = []
    let bytes = 0
    for (let from = 0, row = 1; row <= columns.count; row++) {
      if (row < columns.count && this.#isSameReading(columns, row, from)) continue
      for (const task of this.#tasksOf(columns, from, row)) {
        bytes += Buffer.byteLength(task)
        tasks.push(task)
      }
      from = row
    }
    return [{ shard: 0, seq: ++seqs[0], samples: columns.count, bytes, tasks, pushed: 0 }]
  }

  append(parcels: readonly TaskParcel[]): Promise<AppendOutcome[]> {
    this.#calls++
    const appended = this.#latest.then(() => this.#push(parcels))
    const end = () => {
      this.#calls--
      if (this.#calls === 0) this.#failure = undefined
    }
    this.#latest = appended.then(end, end)
    return appended
  }

  idOf({ seq }: TaskParcel): string {
    const { producer, epoch } = this.#options
    return `${producer}.${epoch}.0.${seq}`
  }

  close(): Promise<void> {
    return this.#publisher.close()
  }

  /** What was asked for after a failure would overtake it: it fails as well, until the caller begins anew. */
  async #push(parcels: readonly TaskParcel[]): Promise<AppendOutcome[]> {
    const outcomes: AppendOutcome[] = []
    for (const parcel of parcels) {
      if (this.#failure === undefined) {
        const { pushed, failure } = await this.#publisher.push(parcel.tasks.slice(parcel.pushed))
        parcel.pushed += pushed
        this.#failure = failure
      }
      outcomes.push(this.#failure ?? { kind: 'stored' })
    }
    return outcomes
  }

  /** First row of the reading that the row belongs to. */
  #readingStart(columns: SampleColumns, row: number): number {
    let start = row
    while (start > 0 && this.#isSameReading(columns, start - 1, row)) start--
    return start
  }

  /** Readings are published whole: neighbouring rows of one device under one number are one reading. */
  #isSameReading({ series, sequences }: SampleColumns, row: number, other: number): boolean {
    const { series: known } = this.#options.catalogue
    return sequences[row] === sequences[other] && known[series[row]].device === known[series[other]].device
  }

  /** One task; more when a channel is there more than once, as a task has one value per channel. */
  #tasksOf(columns: SampleColumns, from: number, to: number): string[] {
    const { catalogue, publish, producer, epoch } = this.#options
    const { device } = catalogue.series[columns.series[from]]
    const sequence = columns.sequences[from]
    const parts: Map<string, Channel>[] = []
    for (let row = from; row < to; row++) {
      const { channel, unit } = catalogue.series[columns.series[row]]
      const name = PAYLOAD_FIELDS.has(channel) ? `${channel}_value` : channel
      let part = parts.find((other) => !other.has(name))
      if (part === undefined) {
        part = new Map()
        parts.push(part)
      }
      part.set(name, { channel: name, unit, value: columns.values[row] })
    }
    return parts.map((channels, index) =>
      formatTask({
        id: taskId(`${producer}.${epoch}/${device}/${sequence}/${index}`),
        type: publish.taskType,
        priority: columns.priorities[from] as Priority,
        maxRetries: MAX_RETRIES,
        device,
        takenAtUs: columns.takenAtUs[from],
        sequence,
        channels: [...channels.values()],
        raw: index === 0 ? columns.raw.get(from) : undefined,
      }),
    )
  }
}

/** A UUID of version 5's form (RFC 9562), from a name: whoever makes the task again gives it the same id. */
function taskId(name: string): string {
  const hash = createHash('sha1').update(name).digest()
  hash[6] = (hash[6] & 0x0f) | 0x50
  hash[8] = (hash[8] & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
