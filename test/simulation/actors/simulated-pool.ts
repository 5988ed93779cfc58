import { BatchDecoder } from '#core/codec/batch-codec'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { Finding } from '#core/model/finding'
import type {
  HandlerEntry,
  HandlerEntryResult,
  HandlerRequest,
  IngestReply,
  IngestRequest,
  PackedReply,
} from '#core/protocol/handler-messages'
import { packFindings } from '#core/protocol/packed-findings'
import type { HandlerPool, RunTurn } from '#src/processor/dispatch/handler-pool'
import type { Actor } from '../engine/actor.js'
import type { World } from '../world.js'
import { DeviceStates } from './device-state.js'
import { markOf } from './marks.js'

const decoder = new BatchDecoder()

/** Something that ends the run. */
class RunEnds extends Error {}

/**
 * The handler threads of one processor. The handlers count each device's samples, in order, and obey the marks in the
 * batches: they fail, kill their thread, or kill the whole process.
 */
export class SimulatedPool implements HandlerPool {
  readonly #world: World
  readonly #actor: Actor
  readonly #killProcess: () => void
  readonly #active = new Set<number>()

  constructor(world: World, actor: Actor, killProcess: () => void) {
    this.#world = world
    this.#actor = actor
    this.#killProcess = killProcess
  }

  run(request: HandlerRequest, { onStart }: RunTurn = {}): Promise<PackedReply> {
    onStart?.()
    const { scheduler, plan, random, isFaulty, coverage } = this.#world
    const { shard } = request
    if (this.#active.has(shard)) this.#world.violated(`two runs of shard ${shard} at once in ${this.#actor.name}`)
    this.#active.add(shard)
    const isSlow = isFaulty && random.chance(plan.slowRunRate)
    if (isSlow) coverage.add('run', 'slow')
    const runMs = random.next() * (isSlow ? 2 * plan.leaseMs : plan.runMs)
    return new Promise((resolve, reject) => {
      scheduler.at(runMs, this.#actor, `run of shard ${shard}, ${request.entries.length} entries`, () => {
        this.#active.delete(shard)
        try {
          resolve(this.#reply(request))
        } catch (error) {
          if (!(error instanceof RunEnds)) throw error
          reject(new TelemetryError('TLM_HANDLER_FAILED', `The run ended with its thread: ${error.message}`))
        }
      })
    })
  }

  ingest(_: IngestRequest): Promise<IngestReply> {
    return Promise.reject(new Error('not simulated'))
  }

  #reply(request: HandlerRequest): PackedReply {
    const { names, plan, random, isFaulty, coverage, oracle } = this.#world
    const { entries, bodies, rows, checkpoint } = request
    const states = new DeviceStates(names.length, request.state)
    if (request.state === undefined && rows !== undefined) states.load(rows, names)
    const findings: Finding[] = []
    const results = entries.map((entry) => this.#runEntry(entry, bodies, states, findings, entries.length === 1))
    if (isFaulty && random.chance(plan.runDeathRate)) {
      coverage.add('run', 'dies of itself')
      if (entries.length === 1) oracle.innocentDeath(entries[0].correlationId)
      throw new RunEnds('out of memory')
    }
    return {
      results,
      findings: packFindings(findings),
      chunks: [],
      state: states.memory,
      ...(checkpoint && { rows: states.takeChanged(names) }),
    }
  }

  #runEntry(
    entry: HandlerEntry,
    bodies: Uint8Array,
    states: DeviceStates,
    findings: Finding[],
    isAlone: boolean,
  ): HandlerEntryResult {
    const { deviceOf, coverage } = this.#world
    const { id, correlationId, offset, length } = entry
    const batch = decoder.decode(bodies.slice(offset, offset + length))
    const mark = markOf(batch.values, batch.count)
    const result = { id, samples: batch.count, rejected: {}, firstTakenAtUs: 0, lastTakenAtUs: 0 }
    const times = mark === 'none' ? 0 : this.#world.nextTimeOf(correlationId)
    const isDue = mark.endsWith('always') || mark === 'unreadable' || times === 1
    if (mark !== 'none') coverage.add('mark', isDue ? mark : `${mark}, over`)
    if (isDue && mark.startsWith('kills its run')) throw new RunEnds(isAlone ? 'killed, alone' : 'killed')
    if (isDue && mark.startsWith('kills its process')) {
      this.#killProcess()
      throw new RunEnds('the process is gone')
    }
    if (isDue && mark !== 'none') {
      const code = mark === 'unreadable' ? 'TLM_BATCH_UNREADABLE' : 'TLM_HANDLER_FAILED'
      return { ...result, error: { code, message: mark, details: {} } }
    }
    const devices = new Set<number>()
    for (let row = 0; row < batch.count; row++) {
      const device = deviceOf(batch.series[batch.seriesIndex[row]].device)
      states.apply(device, batch.sequences[row], mark !== 'none')
      devices.add(device)
    }
    findings.push(findingOf(`batch/${correlationId}`, 1, correlationId, { samples: batch.count, mark }))
    for (const device of devices) {
      const { count, hash } = states.read(device)
      if (mark === 'none') findings.push(findingOf(`device/${device}`, count, correlationId, { count, hash }))
    }
    return result
  }
}

function findingOf(key: string, revision: number, batch: string, body: Finding['body']): Finding {
  return { key, revision, handler: 'test.count', device: 'd', channel: 'c', atUs: 1, batch, body }
}
