import type { FastifyInstance } from 'fastify'
import { messageOf } from '#core/errors/telemetry-error'
import { droppedOf } from '#core/journal/spool-counts'
import { LatencyRecorder } from '#core/observe/latency-recorder'
import { RecentLatency } from '#core/observe/recent-latency'
import { type PressureLevel, SlowFall } from '#core/policy/pressure'
import { SPILL_STATES } from '#core/policy/spill-valve'
import type { ListPublish, StreamPublish } from '#core/protocol/drain-messages'
import { systemClock } from '#core/time/clock'
import { createHttpServer, type HttpServerOptions, listen } from '../host/http-server.js'
import type { Logger } from '../host/logger.js'
import type { Program } from '../host/program.js'
import { RateLimitedLog } from '../host/rate-limited-log.js'
import { StoreDoctor } from '../host/store-doctor.js'
import { streamLocator } from '../host/stream-locator.js'
import { addGatewayRoutes } from './api/gateway-routes.js'
import { addRecorderRoute } from './api/recorder-route.js'
import { addTelemetryRoute } from './api/telemetry-route.js'
import { Traces } from './api/trace-route.js'
import { BusRegistry } from './buses/bus-registry.js'
import type { ChannelSink } from './channels/channel-sink.js'
import type { HubOptions } from './config/hub-options.js'
import type { DeviceTransition } from './devices/device.js'
import { createDevice } from './devices/device-factory.js'
import { DrainSupervisor } from './drain/drain-supervisor.js'
import type { Fault } from './drivers/contract/fault.js'
import { Gateway } from './gateway.js'
import type { HubFigures, HubLedger } from './hub-figures.js'
import { createHubMetrics, type HubMetrics } from './hub-metrics.js'
import { Intake } from './intake/intake.js'
import { PushedReadings } from './intake/pushed-readings.js'
import { isSpilled } from './intake/ring-classes.js'
import { SeriesRegistry } from './intake/series-registry.js'
import { SheddingLadder } from './intake/shedding-ladder.js'
import { LedgerWatch } from './ledger-watch.js'
import { PressureWatch } from './pressure-watch.js'
import { FlightRecorder } from './recorder/flight-recorder.js'
import { gravestBreaker, SpoolWatch } from './spool/spool-watch.js'
import { rolesOf } from './store-roles.js'
import { HubClock } from './time/hub-clock.js'
import { hostSyncProbe } from './time/sync-probe.js'

/** Largest body of `POST /telemetry`: a thousand readings of the usual size. */
const MAX_BODY_BYTES = 256 * 1024
/** Of the time to stop, so much is the devices' at most; the rest is for storing what is in the rings. */
const DEVICES_STOP_SHARE = 0.25
/** Kept for closing the server and ending the process. */
const CLOSE_RESERVE_MS = 300
/** The level must have been lower for so long before batches that are held back are sent. */
const SPILL_FALL_MS = 3000
/** Where metrics and figures list what came over REST. */
const PUSHED = 'POST /telemetry'

/** The whole hub: devices, rings, drain workers and REST, started and stopped in order. Thread: main. */
export class HubProgram implements Program<HubFigures> {
  readonly #options: HubOptions
  readonly #log: Logger
  readonly #latency = new LatencyRecorder()
  readonly #recentLatency = new RecentLatency(systemClock)
  readonly #clock: HubClock
  readonly #supervisor: DrainSupervisor
  readonly #ladder: SheddingLadder
  readonly #pressure: PressureWatch | undefined
  readonly #intake: Intake
  readonly #pushed: PushedReadings
  readonly #buses = new BusRegistry()
  readonly #traces: Traces
  /** Of each device's last transition that was logged. */
  readonly #reasons = new Map<string, string>()
  readonly #gateway: Gateway
  readonly #metrics: HubMetrics
  readonly #http: HttpServerOptions
  readonly #server: FastifyInstance
  readonly #watch: LedgerWatch
  readonly #fsync = new LatencyRecorder()
  readonly #spool: SpoolWatch | undefined
  readonly #doctor: StoreDoctor
  readonly #startedMs = performance.now()
  #url = ''
  readonly #ending = new AbortController()
  #isStopping = false

  /** @throws TLM_OPTIONS_INVALID a driver refuses its options */
  constructor(options: HubOptions, log: Logger) {
    this.#options = options
    this.#log = log
    const registry = new SeriesRegistry(options.maxSeries)
    this.#clock = new HubClock({
      ...options.time,
      probe: hostSyncProbe(options.time.syncedFile),
      isCrowded: () => this.#supervisor.rings.some(({ lane }) => lane.isCrowded),
      log,
    })
    this.#supervisor = new DrainSupervisor({
      hubId: options.id,
      workers: options.ring.workers,
      classes: options.ring.classes,
      ring: options.ring,
      batch: options.batch,
      publish: publishOf(options),
      shards: options.store.shards,
      spool: options.spool,
      wall: this.#clock.memory,
      registry,
      clock: systemClock,
      log,
      onLatency: (encoded) => this.#addLatency(encoded),
      onFsync: (encoded) => this.#fsync.add(encoded),
    })
    this.#ladder = new SheddingLadder(options.backpressure)
    // A list has no processor of ours behind it.
    if (options.publish.mode === 'stream') {
      const spill = new SlowFall(SPILL_FALL_MS, systemClock.monotonicMs)
      const onLook = (level: PressureLevel) => {
        const held = spill.update(level)
        this.#supervisor.hold((classes) => isSpilled(options.backpressure, held, classes))
      }
      this.#pressure = new PressureWatch(streamLocator(options.store), this.#ladder, onLook, log)
    }
    if (options.spool !== undefined && this.#supervisor.hasSpool) {
      const counts = () => this.#supervisor.totals().spool
      this.#spool = new SpoolWatch({ settings: options.spool, counts, clock: systemClock, log })
    }
    const rejects = new RateLimitedLog(log, systemClock)
    this.#intake = new Intake({
      lanes: this.#supervisor.rings.map(({ lane }) => lane),
      classes: this.#supervisor.classes,
      registry,
      ladder: this.#ladder,
      stampOriginUs: this.#clock.stampOriginUs,
      onReject: (device, reason, detail) => {
        rejects.warn(`${device} ${reason}`, { device, reason, detail }, 'input gave no sample')
      },
    })
    this.#pushed = new PushedReadings(this.#intake)
    const channels: ChannelSink[] = []
    const factory = {
      intake: this.#intake,
      clock: this.#clock.wallClock,
      stampClock: this.#clock.stampClock,
      buses: this.#buses,
      overflow: options.overflow,
      everyMs: options.everyMs,
      channels,
      onTransition: (transition: DeviceTransition) => this.#logTransition(transition),
      onReading: {
        onFault: (device: string, { fault, message }: Fault) =>
          rejects.warn(`${device} ${fault}`, { device, fault }, `device ${device}: ${message}`),
        onWell: (device: string, { fault }: Fault) => log.info({ device, fault }, `device ${device} reads again`),
      },
    }
    const devices = Object.entries(options.devices).map(([name, config]) => createDevice(name, config, factory))
    this.#gateway = new Gateway(devices)
    this.#doctor = new StoreDoctor(options.store, rolesOf(options), log)
    this.#metrics = createHubMetrics({
      figures: () => this.figures(),
      gateway: this.#gateway,
      buses: this.#buses,
      channels: () => channels.flatMap((sink) => sink.figures()),
      supervisor: this.#supervisor,
      registry,
      latency: this.#latency,
      fsync: this.#fsync,
      sink: sinkName(options),
      startedAtSeconds: Math.round(performance.timeOrigin / 1000),
    })
    this.#http = { ...options.http, maxBodyBytes: MAX_BODY_BYTES }
    this.#server = createHttpServer(this.#http, log)
    addGatewayRoutes(this.#server, {
      gateway: this.#gateway,
      metrics: this.#metrics,
      figures: () => this.figures(),
    })
    addTelemetryRoute(this.#server, {
      readings: () => (this.#isStopping ? undefined : this.#pushed),
      ending: this.#ending.signal,
      clock: this.#clock.wallClock,
    })
    this.#traces = new Traces({ buses: this.#buses, devices: options.devices })
    this.#traces.addRoute(this.#server)
    const recorder = options.recorder && new FlightRecorder(options.recorder, options.devices, systemClock)
    if (recorder !== undefined) this.#buses.observation.add(recorder)
    addRecorderRoute(this.#server, recorder)
    this.#watch = new LedgerWatch(() => this.#ledger(this.#supervisor.totals()), log)
  }

  get url(): string {
    return this.#url
  }

  /** Listens, starts the drain workers and all devices. @throws TLM_PORT_IN_USE, TLM_OPTIONS_INVALID */
  async start(): Promise<void> {
    const { http, notes, publish } = this.#options
    const port = await listen(this.#server, this.#http)
    this.#url = `http://${http.host.includes(':') ? `[${http.host}]` : http.host}:${port}`
    for (const note of notes) this.#log.warn(note)
    this.#clock.start()
    await this.#supervisor.start()
    this.#watch.start()
    this.#pressure?.start()
    this.#spool?.start()
    this.#doctor.start()
    this.#log.info({ url: this.#url, mode: publish.mode, sink: sinkName(this.#options) }, 'the hub runs')
    // Not awaited: a device that takes long to open must not keep the others, or REST, from being seen.
    this.#gateway.start().catch((error) => this.#log.error({ err: error }, messageOf(error)))
  }

  /** Stops devices, has the rest stored, ends workers and REST. Ends by the deadline even when the store is away. */
  async stop(deadlineMs: number): Promise<void> {
    const untilMs = performance.now() + deadlineMs - CLOSE_RESERVE_MS
    this.#isStopping = true
    const quiet = this.#pressure?.stop()
    this.#doctor.stop()
    await this.#gateway.stop(deadlineMs * DEVICES_STOP_SHARE)
    // A driver that did not end in time must not publish behind the last drain.
    this.#intake.close()
    this.#clock.stop()
    await this.#supervisor.stop(Math.max(0, untilMs - performance.now()))
    // Whoever waits for what could not be stored is told now, or the server would wait for them.
    this.#ending.abort()
    this.#watch.look()
    this.#watch.stop()
    await quiet
    this.#spool?.stop()
    this.#traces.close()
    await this.#server.close()
    this.#log.info({ ledger: this.figures().ledger }, 'the hub has ended')
  }

  figures(): HubFigures {
    const totals = this.#supervisor.totals()
    const { rings, isStoreUp, problem } = this.#supervisor
    const sum = (read: (ring: (typeof rings)[number]) => number) => rings.reduce((all, ring) => all + read(ring), 0)
    return {
      ledger: this.#ledger(totals),
      latest: this.#intake.latest(),
      queueDepth: sum(({ lane }) => lane.ring.backlog),
      latencyP50Ms: this.#recentLatency.percentileUs(50) / 1000,
      latencyP99Ms: this.#recentLatency.percentileUs(99) / 1000,
      uptimeSeconds: (performance.now() - this.#startedMs) / 1000,
      batches: {
        stored: totals.batchesStored,
        duplicate: totals.batchesDuplicate,
        retried: sum(({ batchesRetried }) => batchesRetried),
        inFlight: sum(({ batchesInFlight }) => batchesInFlight),
        bytes: totals.bytesStored,
        closedBy: {
          samples: totals.closedBySamples,
          bytes: totals.closedByBytes,
          age: totals.closedByAge,
          stop: totals.closedByStop,
        },
        meanLatencyMs: this.#latency.meanUs / 1000,
      },
      workers: rings.length,
      workerRestarts: sum(({ restarts }) => restarts),
      isStoreUp,
      pressure: this.#ladder.level,
      spill: countsOf(
        SPILL_STATES,
        rings.map(({ status }) => status?.spill),
      ),
      breaker: gravestBreaker(rings.map(({ status }) => status?.breaker)),
      spool: this.#spool?.figures(),
      clock: this.#clock.figures(),
      problem: problem ?? this.#doctor.problem,
      rejected: [
        ...this.#intake.rejected(),
        ...this.#pushed.rejects().map(([reason, count]) => ({ device: PUSHED, reason, count })),
      ],
    }
  }

  #ledger(totals: ReturnType<DrainSupervisor['totals']>): HubLedger {
    const { accepted, dropped, thinned, refusedByClass } = this.#intake.totals()
    const { samplesDelivered, samplesSpooled, samplesRolledBack, inFlight, abandoned, spool } = totals
    const droppedBy = {
      ring_full: dropped,
      thinned,
      refused_by_class: refusedByClass,
      store_rolled_back: samplesRolledBack + spool.rolledBack,
      shutdown: abandoned,
      spool_size: spool.droppedSize,
      spool_age: spool.droppedAge,
      spool_corrupt: spool.droppedCorrupt,
      spool_disk_full: spool.droppedDiskFull,
    }
    // What is spooled may be delivered before the ring knows that it was spooled.
    const held = spool.recovered + samplesSpooled - spool.replayed - droppedOf(spool)
    return {
      accepted,
      recovered: spool.recovered,
      delivered: samplesDelivered + spool.replayed - spool.rolledBack + Math.min(0, held),
      spooled: Math.max(0, held),
      inFlight,
      dropped: Object.values(droppedBy).reduce((sum, count) => sum + count, 0),
      droppedBy,
    }
  }

  #addLatency(encoded: string): void {
    this.#latency.add(encoded)
    this.#recentLatency.add(encoded)
  }

  /** A try that fails as the one before says nothing new. */
  #logTransition({ device, from, to, event, reason }: DeviceTransition): void {
    if (from === to && this.#reasons.get(device) === reason) return
    this.#reasons.set(device, reason)
    const isTrouble = to === 'Error' || to === 'SafeState'
    this.#log[isTrouble ? 'warn' : 'info']({ device, from, to, event, reason }, `device ${device}: ${to}`)
  }
}

function publishOf({ store, publish }: HubOptions): StreamPublish | ListPublish {
  return publish.mode === 'list' && store.kind === 'redis'
    ? { mode: 'list', redis: store.redis, taskType: publish.taskType }
    : { mode: 'stream', locator: streamLocator(store) }
}

/** How often each of the names is among the values. */
function countsOf<Name extends string>(names: readonly Name[], values: readonly (Name | undefined)[]) {
  const counts = names.map((name) => [name, values.filter((value) => value === name).length])
  return Object.fromEntries(counts) as Record<Name, number>
}

function sinkName({ store, publish }: HubOptions): string {
  return publish.mode === 'list' ? `${store.kind}-list` : store.kind
}
