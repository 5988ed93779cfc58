import type { PortableError } from '#core/errors/telemetry-error'
import type { Finding } from '#core/model/finding'
import type {
  DeadSample,
  HandlerEntry,
  HandlerRequest,
  IngestReply,
  IngestRequest,
  PackedReply,
} from '#core/protocol/handler-messages'
import { packFindings } from '#core/protocol/packed-findings'
import type { SealedBatch } from '#core/transport/batch-stream'
import type { HandlerPool, RunTurn } from '#src/processor/dispatch/handler-pool'

/**
 * Handlers whose state tells whether each entry took effect exactly once: per shard the number and the sum of the values
 * in the bodies. Each entry gives a finding of its own, each run one with the sum so far. Runs on the calling thread.
 */
export class SummingPool implements HandlerPool {
  /** Throws or rejects to let a run die; it may change the state before. */
  onRun: (request: HandlerRequest, values: readonly number[]) => void | Promise<void> = () => {}
  /** The error of an entry that cannot be processed. */
  errorOf: (entry: HandlerEntry, value: number) => PortableError | undefined = () => undefined
  /** Samples of an entry that are left out. */
  deadOf: (entry: HandlerEntry) => DeadSample[] | undefined = () => undefined
  readonly runs: { shard: number; values: number[]; checkpoint: boolean }[] = []
  readonly #active = new Set<number>()

  async run(request: HandlerRequest, { onStart }: RunTurn = {}): Promise<PackedReply> {
    onStart?.()
    const { shard, entries, bodies, checkpoint } = request
    if (this.#active.has(shard)) throw new Error(`Two runs of shard ${shard} at once.`)
    if (bodies.byteOffset !== 0 || bodies.byteLength !== bodies.buffer.byteLength) throw new Error('A view was sent.')
    this.#active.add(shard)
    try {
      const values = entries.map(({ offset, length }) => readValue(bodies.subarray(offset, offset + length)))
      this.runs.push({ shard, values, checkpoint })
      await this.onRun(request, values)
      return this.#reply(request, values)
    } finally {
      this.#active.delete(shard)
    }
  }

  ingest(_: IngestRequest): Promise<IngestReply> {
    return Promise.reject(new Error('not part of this test'))
  }

  #reply({ shard, entries, state = load(undefined), rows, checkpoint }: HandlerRequest, values: number[]): PackedReply {
    const memory = rows === undefined ? state : load(rows.get('sum'))
    const sums = new Float64Array(memory)
    const findings: Finding[] = []
    const results = entries.map((entry, index) => {
      const error = this.errorOf(entry, values[index])
      let dead: DeadSample[] | undefined
      if (error === undefined) {
        sums[0]++
        sums[1] += values[index]
        dead = this.deadOf(entry)
        findings.push(findingOf(`entry/${entry.correlationId}`, 1, entry.correlationId, { value: values[index] }))
      }
      return {
        id: entry.id,
        samples: 1,
        rejected: {},
        firstTakenAtUs: 0,
        lastTakenAtUs: 0,
        ...(error !== undefined && { error }),
        ...(dead !== undefined && { dead }),
      }
    })
    const last = entries.at(-1)?.correlationId ?? ''
    findings.push(findingOf(`sum/${shard}`, sums[0], last, { count: sums[0], sum: sums[1] }))
    const saved = new Map([['sum', new Uint8Array(new Float64Array(sums).buffer)]])
    return { results, findings: packFindings(findings), chunks: [], state: memory, ...(checkpoint && { rows: saved }) }
  }
}

/** Batch `seq` of one producer with a value as its body. */
export function valueBatch(shard: number, seq: number, value: number, fields: Partial<SealedBatch> = {}): SealedBatch {
  return {
    producer: 'test',
    epoch: 1,
    seq,
    shard,
    priority: 1,
    handler: '*',
    samples: 3,
    firstTakenAtUs: 1,
    body: new Uint8Array(Float64Array.of(value).buffer),
    ...fields,
  }
}

/** Number of entries and their sum in a shard's saved state. */
export function savedSum(state: ReadonlyMap<string, Uint8Array>): { count: number; sum: number } {
  const [count, sum] = new Float64Array(load(state.get('sum')))
  return { count, sum }
}

function load(row: Uint8Array | undefined): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(16)
  if (row !== undefined) new Uint8Array(memory).set(row)
  return memory
}

function readValue(body: Uint8Array): number {
  return new Float64Array(body.slice().buffer)[0]
}

function findingOf(key: string, revision: number, batch: string, body: Finding['body']): Finding {
  return { key, revision, handler: 'test.sum', device: 'd', channel: 'c', atUs: 1, batch, body }
}
