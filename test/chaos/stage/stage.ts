import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Redis } from 'ioredis'
import type { HubLedger } from '#src/hub/hub-figures'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { adminOf } from '#test/support/redis-store'
import { TcpProxy } from '#test/support/tcp-proxy'
import { runHub, runProcessor } from '#test/support/test-program'
import { EFFECTS_TYPE } from '../inside/effects-handler.js'
import type { Evidence } from '../oracle/evidence.js'
import { Journal } from '../oracle/journal.js'
import { EffectsReader, readRuns } from './effects-reader.js'
import { HubKeeper } from './hub-keeper.js'
import { SteadyLoad } from './load.js'
import { ProcessorCrew } from './processor-crew.js'
import { PushedTasks } from './pushed-tasks.js'
import { QUEUE, readDeadLetters, readLeftovers } from './store-leftovers.js'

export interface StageOptions {
  processors: number
  shards: number
  /** Steady devices. */
  devices: number
  readingsPerRequest: number
  requestIntervalMs: number
}

export const LEASE_MS = 1500
const TRACE_LOOK_MS = 20
const REST_LOOK_MS = 100
/** Samples that the hub's ring holds. */
export const RING_SLOTS = 16_384

/** Real Redis, hub and processors, with a proxy between each program and Redis, under a load that knows its samples. */
export class Stage {
  readonly options: StageOptions
  readonly redis: TestRedis
  readonly hubNetwork: TcpProxy
  readonly processorNetwork: TcpProxy
  readonly hubs: HubKeeper
  readonly crew: ProcessorCrew
  readonly load: SteadyLoad
  readonly tasks: PushedTasks
  readonly journal = new Journal()
  readonly effects: EffectsReader
  readonly devices: readonly string[]
  readonly #directory: string

  private constructor(options: StageOptions, directory: string, redis: TestRedis, hub: TcpProxy, processors: TcpProxy) {
    this.options = options
    this.redis = redis
    this.hubNetwork = hub
    this.processorNetwork = processors
    this.#directory = directory
    this.devices = Array.from({ length: options.devices }, (_, index) => `device-${index}`)
    this.effects = new EffectsReader(join(directory, 'findings.db'))
    const env = (proxy: TcpProxy) => ({
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(proxy.port),
      TELEMETRY_DATA: directory,
      NODE_OPTIONS: `--import ${new URL('../inside/preload.js', import.meta.url).href}`,
      CHAOS_TRACE: join(directory, 'trace.log'),
    })
    const log = ['--log-level', 'warn']
    const hubArgs = ['--config', join(directory, 'hub.yaml'), ...log]
    // The same for all lives of the hub: what one leaves on disk the next one delivers.
    const spool = { SPOOL_DIR: join(directory, 'spool') }
    this.hubs = new HubKeeper((extra) => runHub(hubArgs, { ...env(hub), ...spool, ...extra }))
    const processorArgs = ['--config', join(directory, 'processor.yaml'), ...log]
    this.crew = new ProcessorCrew((extra) => runProcessor(processorArgs, { ...env(processors), ...extra }))
    const { readingsPerRequest, requestIntervalMs } = options
    const load = { devices: this.devices, readings: readingsPerRequest, intervalMs: requestIntervalMs }
    this.load = new SteadyLoad(load, this.hubs, this.journal)
    this.tasks = new PushedTasks(redis.port, this.journal)
  }

  /** Starts everything but the load; resolves when the hub is ready. @param hubEnv of the first run of the hub */
  static async start(options: StageOptions, hubEnv: Readonly<Record<string, string>> = {}): Promise<Stage> {
    const directory = await mkdtemp(join(tmpdir(), 'telemetryhub-chaos-'))
    await writeFile(join(directory, 'hub.yaml'), hubConfig(options))
    await writeFile(join(directory, 'processor.yaml'), processorConfig(options, directory))
    const redis = await startRedis()
    const proxies = await Promise.all([TcpProxy.start(redis.port), TcpProxy.start(redis.port)])
    const stage = new Stage(options, directory, redis, ...proxies)
    for (let i = 0; i < options.processors; i++) stage.crew.add()
    await stage.hubs.start(hubEnv)
    return stage
  }

  /** A plain client that goes around the proxies. */
  admin(): Promise<Redis> {
    return adminOf(this.redis.port)
  }

  /** Ends the load and waits until everything that was taken has come to its end. @returns whether it did in time */
  async rest(withinMs: number): Promise<boolean> {
    await Promise.all([this.load.stop(), this.tasks.stop()])
    const until = performance.now() + withinMs
    const admin = await this.admin()
    try {
      for (;;) {
        const figures = this.hubs.running?.program.figures
        const leftovers = await readLeftovers(admin, this.options.shards)
        const isEmpty = [...leftovers.values()].every((value) => value === 0)
        if (isEmpty && figures !== undefined && hasEnded(figures.ledger, this.#offered())) return true
        if (performance.now() > until) return false
        await pause(REST_LOOK_MS)
      }
    } finally {
      admin.disconnect()
    }
  }

  /** What the programs say of themselves, for a run that does not come to rest. */
  describe(): string {
    const programs = [this.hubs.running?.program, ...this.crew.members.map(({ program }) => program)]
    return programs.map((program) => `${JSON.stringify(program?.figures)}\n${program?.output.slice(-2000)}`).join('\n')
  }

  /** Samples in dead letters. */
  async deadLetters(admin: Redis): Promise<number> {
    return (await readDeadLetters(admin, this.options.shards)).length
  }

  /** Ends the programs in order and gathers all that is known. */
  async gather({ isStateKept = true } = {}): Promise<Evidence> {
    await this.hubs.stop()
    await this.crew.close()
    const admin = await this.admin()
    const leftovers = await readLeftovers(admin, this.options.shards)
    const deadLetters = await readDeadLetters(admin, this.options.shards)
    admin.disconnect()
    this.effects.readNew()
    return {
      offers: this.journal.offers,
      hubs: this.hubs.ends,
      atRisk: this.tasks.atRisk,
      stored: this.effects.stored,
      deadLetters,
      aliens: this.effects.aliens,
      summaries: isStateKept ? this.effects.summaries() : undefined,
      runs: readRuns(join(this.#directory, 'effects.log')),
      processorImbalances: this.crew.imbalances,
      leftovers,
    }
  }

  /** Ends everything, whatever state it is in, and removes its files. */
  async close(): Promise<void> {
    await Promise.all([this.load.stop(), this.tasks.stop()])
    await Promise.all([this.hubs.kill(), this.crew.killAll()])
    await Promise.all([this.hubNetwork.stop(), this.processorNetwork.stop()])
    this.effects.close()
    await this.redis.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }

  /** What the programs' preload and handlers have written down, a line each, e.g. `fenced checkpoint`. */
  traces(): string[] {
    const file = join(this.#directory, 'trace.log')
    if (!existsSync(file)) return []
    const lines = readFileSync(file, 'utf8').split('\n')
    return lines.filter((line) => line !== '').map((line) => line.slice(line.indexOf(' ') + 1))
  }

  /** Resolves with whether such a line is there, at the latest after the time given. */
  async traced(line: string, withinMs: number): Promise<boolean> {
    const until = performance.now() + withinMs
    while (!this.traces().includes(line)) {
      if (performance.now() > until) return false
      await pause(TRACE_LOOK_MS)
    }
    return true
  }

  /** Accepted by the hub that runs now. */
  #offered(): number {
    const hub = this.hubs.running?.number
    const ranges = [...this.journal.offers.values()].flat()
    return ranges.reduce(
      (sum, range) => sum + (range.hub === hub && range.outcome !== 'uncertain' ? range.count : 0),
      0,
    )
  }
}

/** Whether all that the hub was offered is stored, or dropped and counted. */
function hasEnded(ledger: HubLedger & { spooled?: number }, offered: number): boolean {
  const { accepted, inFlight, spooled = 0 } = ledger
  return accepted >= offered && inFlight + spooled === 0
}

function hubConfig({ shards }: StageOptions): string {
  return `gateway: { id: chaos }
store: { shards: ${shards} }
redis: { queue_name: '${QUEUE}', command_timeout_ms: 1000 }
ring: { slots: ${RING_SLOTS} }
batch: { max_age_ms: 20 }
# Without a device the hub would simulate one: this one never has a reading.
devices: { silent: { driver: sim, interval_ms: 1h, readings: 1, faults: { dropout_probability: 1 } } }
`
}

function processorConfig({ shards }: StageOptions, directory: string): string {
  const module = fileURLToPath(new URL('../inside/effects-handler.js', import.meta.url))
  return `store: { shards: ${shards} }
redis: { queue_name: '${QUEUE}', command_timeout_ms: 1000 }
worker_pool: { num_workers: 2, max_heap: 64MiB }
lease_ms: ${LEASE_MS}
max_retries: 2
checkpoint: { interval_ms: 200, max_entries: 500 }
handlers:
  - { type: ${EFFECTS_TYPE}, module: '${module}', log: '${join(directory, 'effects.log')}', directory: '${directory}' }
  - { type: telemetry.analyze }
  - { type: telemetry.store }
`
}
