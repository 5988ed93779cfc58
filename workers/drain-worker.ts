/** Entry of a drain worker: everything is told by `workerData` and messages, see `protocol/drain-messages`. */
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf, type PortableError, toPortableError } from '#core/errors/telemetry-error'
import { SealJournal } from '#core/journal/seal-journal'
import { SpoolCountsView } from '#core/journal/spool-counts'
import { LatencyRecorder } from '#core/observe/latency-recorder'
import { CircuitBreaker } from '#core/policy/circuit-breaker'
import type {
  DrainStatus,
  DrainWorkerData,
  FromDrainWorker,
  SpoolOptions,
  ToDrainWorker,
} from '#core/protocol/drain-messages'
import { RingConsumer } from '#core/ring/ring-consumer'
import { systemClock } from '#core/time/clock'
import { WallReader } from '#core/time/wall-memory'
import type { BatchProducer } from '#core/transport/batch-stream'
import type { RollBack } from './drain/append-window.js'
import { DrainLoop } from './drain/drain-loop.js'
import type { Outlet } from './drain/outlet.js'
import { loadOpener, type OutletOpener } from './drain/outlet-opener.js'
import { SeriesCatalogue } from './drain/series-catalogue.js'
import { Signal } from './drain/signal.js'
import { SpooledStore } from './drain/spooled-store.js'

/** Encoding a histogram and adding it up takes both threads some milliseconds. */
const PROGRESS_INTERVAL_MS = 1000
/** A second and a half at most before a store that is back is noticed. */
const BACKOFF = { baseMs: 50, maxMs: 1500 }
const FAILURES_TO_OPEN = 3
/** A spool that must be opened and cannot is tried again after so long. */
const SPOOL_RETRY_MS = 1000

const data = workerData as DrainWorkerData
if (parentPort === null) throw new Error('drain-worker.js runs as a worker thread only.')
const port = parentPort
const send = (message: FromDrainWorker) => port.postMessage(message)

const ring = new RingConsumer(data.ring)
const journal = new SealJournal(data.journal)
const catalogue = new SeriesCatalogue(journal.shards, data.series)
const wall = data.wall === undefined ? undefined : new WallReader(data.wall)
const latency = new LatencyRecorder()
const newBreaker = () =>
  new CircuitBreaker({ failuresToOpen: FAILURES_TO_OPEN, backoff: BACKOFF, nowMs: systemClock.monotonicMs })
const breaker = newBreaker()
const stopped = new Signal()
let isStopping = false
let isHeld = data.isHeld
let loop: DrainLoop | undefined
let spooled: SpooledStore | undefined
/** Why there is none. */
let spoolProblem: string | undefined
/** While the store is not open. */
let opening: DrainStatus | undefined

port.on('message', (message: ToDrainWorker) => {
  if (message.kind === 'series') catalogue.add(message.from, message.series)
  else if (message.kind === 'hold') {
    isHeld = message.isHeld
    spooled?.hold(isHeld)
  } else {
    isStopping = true
    loop?.drainAndStop()
    stopped.raise()
  }
})

// Not awaited here: Node 20 aborts the process when a thread is terminated while it still evaluates its entry module.
void work()

/** Opens the store and drains the ring until told to stop. What it throws ends the thread. */
async function work(): Promise<void> {
  const opener = await loadOpener(data, catalogue, ring.capacity)
  send({ kind: 'ready' })
  const timer = setInterval(() => report(false), PROGRESS_INTERVAL_MS)
  const outlet = (await openSpool(opener)) ?? (await openOutlet(opener))
  if (outlet !== undefined) {
    loop = new DrainLoop({
      ring,
      journal,
      outlet,
      catalogue,
      breaker,
      latency,
      clock: systemClock,
      ...(wall !== undefined && { wall }),
      capacity: opener.capacity,
      ...data.batch,
      get maxAgeMs() {
        const { maxAgeMs } = data.batch
        // Batches for the spool may be larger, and so take several times less: nobody waits for them.
        return spooled?.isSpooling ? Math.max(maxAgeMs, data.spool!.batchAgeMs) : maxAgeMs
      },
      onStoreChange: () => report(true),
      onRollBack,
    })
    report(true)
    if (isStopping) loop.drainAndStop()
    await loop.run()
    await outlet.close()
  }
  clearInterval(timer)
  report(true)
  send({ kind: 'stopped' })
  port.close()
}

/**
 * The outlet with a spool before the store; `undefined` without one, and for a spool that cannot be opened. One that has
 * batches of this run must be opened: the store would take what follows them as if they had never been.
 */
async function openSpool(opener: OutletOpener): Promise<Outlet | undefined> {
  if (data.spool === undefined || opener.stream === undefined) return undefined
  const { openStore, outletTo } = opener.stream
  for (;;) {
    try {
      spooled = await openSpooled(data.spool, openStore)
      spooled.hold(isHeld)
      spoolProblem = undefined
      return outletTo(spooled.store)
    } catch (error) {
      spoolProblem = messageOf(error)
      const { appended, held } = new SpoolCountsView(data.spool.counts).read()
      if (appended === 0 || held === 0 || (isStopping && ring.backlog === 0)) return undefined
      tellUnopened(toPortableError(error, 'TLM_STREAM_UNAVAILABLE'))
      await stopped.next(SPOOL_RETRY_MS)
    }
  }
}

function openSpooled(options: SpoolOptions, openStore: () => Promise<BatchProducer>): Promise<SpooledStore> {
  const { producer, epoch } = data
  return SpooledStore.open({
    options,
    producer,
    epoch,
    journal,
    openStore,
    breaker: newBreaker(),
    latency,
    clock: systemClock,
    isHeld,
    onChange: () => report(true),
    onRollBack,
    onRepair: (repair) => send({ kind: 'repaired', ...repair }),
    // Ends the thread: another one goes on where this one was.
    onFailure: (error) =>
      setImmediate(() => {
        throw error
      }),
  })
}

function onRollBack(rollBack: RollBack): void {
  send({ kind: 'rolled-back', ...rollBack })
}

/** Tries until the store opens; `undefined` when told to stop meanwhile with nothing to store. */
async function openOutlet(opener: OutletOpener): Promise<Outlet | undefined> {
  for (;;) {
    if (isStopping && ring.backlog === 0) return undefined
    try {
      const opened = await opener.open()
      breaker.succeeded()
      return opened
    } catch (error) {
      breaker.failed()
      tellUnopened(toPortableError(error, 'TLM_STREAM_UNAVAILABLE'))
      while (!breaker.mayTry()) await stopped.next(breaker.waitMs)
    }
  }
}

function tellUnopened(lastError: PortableError): void {
  const { state, openings } = breaker
  opening = { storeUp: false, breaker: state, breakerOpenings: openings, batchesRetried: 0, lastError }
  report(true)
}

function report(isDue: boolean): void {
  const latencyHistogram = latency.take()
  const fsyncHistogram = spooled?.syncs.take()
  const status = statusNow()
  const isNews = isDue || latencyHistogram !== undefined || fsyncHistogram !== undefined || !status?.storeUp
  if (status === undefined || !isNews) return
  send({
    kind: 'progress',
    status,
    ...(latencyHistogram !== undefined && { latencyHistogram }),
    ...(fsyncHistogram !== undefined && { fsyncHistogram }),
  })
}

/** With a spool, the store's state is the link's: the loop only knows whether its batches were taken. */
function statusNow(): DrainStatus | undefined {
  const status = loop?.status ?? opening
  if (spooled === undefined) return status && { ...status, ...(spoolProblem !== undefined && { spoolProblem }) }
  const ofLink = spooled.status
  return { ...ofLink, batchesRetried: ofLink.batchesRetried + (status?.batchesRetried ?? 0) }
}
