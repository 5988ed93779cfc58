import assert from 'node:assert/strict'
import type { DecodedBatch } from '#core/model/batch'
import type { Finding } from '#core/model/finding'
import { readHandlerOptions } from '#core/options/handlers/read-handler-options'
import type { HandlerReply, HandlerSpec } from '#core/protocol/handler-messages'
import { HandlerSet } from '#workers/handlers/handler-set'
import { ShardRunner } from '#workers/shard-runner'
import { UserHandlers } from '#workers/user-handlers/user-handlers'

/** A configured built-in handler; fails the test when its options are wrong. */
export function specOf(type: string, raw: Readonly<Record<string, unknown>> = {}): HandlerSpec {
  const { options, problems } = readHandlerOptions(type, raw)
  assert.ok(options, JSON.stringify(problems))
  return { type, options }
}

export const ALL_ANALYSES = ['telemetry.analyze', 'telemetry.anomaly_detect', 'telemetry.aggregate', 'telemetry.alert']

/** What an owner of one shard does with handlers, rows and findings, without a store: it may crash and begin again. */
export class ShardOwner {
  readonly runner: ShardRunner
  /** What a sink holds: the finding of the highest revision per key, the later one of equals. */
  readonly sink = new Map<string, Finding>()
  /** State saved with the checkpoints so far. */
  readonly rows = new Map<string, Uint8Array>()
  /** Every finding in the order it came. */
  readonly findings: Finding[] = []
  #memory: SharedArrayBuffer | undefined
  #batches = 0

  constructor(specs: readonly HandlerSpec[], users?: UserHandlers) {
    const batches = this.#pending
    this.runner = new ShardRunner(new HandlerSet(specs), users ?? noUsers, () => batches.shift() as DecodedBatch)
  }

  static async withUsers(specs: readonly HandlerSpec[]): Promise<ShardOwner> {
    const users = await UserHandlers.load(specs.filter(({ moduleUrl }) => moduleUrl !== undefined))
    return new ShardOwner(
      specs.filter(({ moduleUrl }) => moduleUrl === undefined),
      users,
    )
  }

  readonly #pending: DecodedBatch[] = []

  /**
   * One run over the batches, its findings and rows saved. With `lose`, what the run gave is lost on the way: its rows, or
   * its findings as well; the state is then lost too, as after a crash.
   */
  run(
    batches: readonly DecodedBatch[],
    checkpoint = false,
    { handler = '*', lose }: { handler?: string; lose?: 'rows' | 'all' } = {},
  ): HandlerReply {
    this.#pending.push(...batches)
    const entries = batches.map((_, index) => ({
      id: `${this.#batches + index}`,
      offset: index,
      length: 1,
      correlationId: `batch-${this.#batches + index}`,
      handler,
    }))
    this.#batches += batches.length
    const reply = this.runner.run({
      shard: 0,
      entries,
      bodies: new Uint8Array(batches.length),
      checkpoint,
      ...(this.#memory ? { state: this.#memory } : { rows: this.rows }),
    })
    this.#pending.length = 0
    this.#memory = lose === undefined ? reply.state : undefined
    if (lose !== 'all') for (const finding of reply.findings) this.#upsert(finding)
    if (lose === undefined) for (const [key, row] of reply.rows ?? []) this.rows.set(key, row)
    return reply
  }

  checkpoint(): HandlerReply {
    return this.run([], true)
  }

  /** The state is lost; the next run begins from the rows. */
  crash(): void {
    this.#memory = undefined
  }

  /** Key, revision and body of all that the sink holds, sorted: what must not depend on how samples came. */
  sinkContent(): string {
    const content = [...this.sink.values()].map(({ batch: _, ...finding }) => finding)
    return JSON.stringify(content.sort((left, right) => (left.key < right.key ? -1 : 1)))
  }

  bodies(prefix: string): Record<string, unknown>[] {
    return this.findings.filter(({ key }) => key.startsWith(prefix)).map(({ body }) => ({ ...body }))
  }

  #upsert(finding: Finding): void {
    this.findings.push(finding)
    const known = this.sink.get(finding.key)
    if (known === undefined || finding.revision >= known.revision) this.sink.set(finding.key, finding)
  }
}

const noUsers = await UserHandlers.load([])
