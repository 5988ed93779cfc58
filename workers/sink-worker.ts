/**
 * Entry of a sink thread: opens the sink whose module the start message names, and again after each failure, so that a
 * disk that comes back or a file that is made writable is found without a restart.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { TelemetryError, toPortableError } from '#core/errors/telemetry-error'
import type { Finding } from '#core/model/finding'
import { unpackFindings } from '#core/protocol/packed-findings'
import type {
  FromSinkWorker,
  SinkAnswers,
  SinkModule,
  SinkRows,
  SinkStore,
  SinkWorkerData,
  ToSinkWorker,
} from '#core/protocol/sink-messages'

const { moduleUrl, options, role } = workerData as SinkWorkerData
if (parentPort === null) throw new TelemetryError('TLM_INVARIANT_BROKEN', 'sink-worker runs in a worker thread only.')
const port = parentPort

let store: SinkStore | undefined
/** Rows of the commit that failed, until it succeeds. */
let uncommitted: SinkRows | undefined
/** Messages are handled one after the other: opening is asynchronous. */
let turn: Promise<void> = Promise.resolve()

port.on('message', (message: ToSinkWorker) => {
  turn = turn.then(() => handle(message))
})

async function handle(message: ToSinkWorker): Promise<void> {
  switch (message.kind) {
    case 'commit':
      uncommitted = { findings: mergeFindings(message.findings), chunks: message.chunks }
      return commit()
    case 'commit-again':
      return commit()
    case 'findings':
      return answer(message.id, (sink) => sink.findings(message.query))
    case 'samples':
      return answer(message.id, (sink) => sink.samples(message.query))
    case 'stored':
      return answer(message.id, (sink) => sink.stored(message.batch))
    case 'close':
      close()
      port.close()
  }
}

/** Of findings with the same key only the one that would be left is written. */
function mergeFindings(packed: readonly Uint8Array[]): readonly Finding[] {
  if (packed.length === 1) return unpackFindings(packed[0])
  const findings = new Map<string, Finding>()
  for (const finding of packed.flatMap(unpackFindings)) {
    const known = findings.get(finding.key)
    if (known === undefined || finding.revision >= known.revision) findings.set(finding.key, finding)
  }
  return [...findings.values()]
}

async function commit(): Promise<void> {
  try {
    const sink = await open()
    if (uncommitted !== undefined) sink.commit(uncommitted)
    uncommitted = undefined
    post({ kind: 'committed' })
  } catch (error) {
    close()
    post({ kind: 'commit-failed', error: toPortableError(error, 'TLM_SINK_FAILED') })
  }
}

async function answer(id: number, read: (sink: SinkStore) => SinkAnswers[keyof SinkAnswers]): Promise<void> {
  try {
    post({ kind: 'answer', id, rows: read(await open()) })
  } catch (error) {
    close()
    post({ kind: 'refused', id, error: toPortableError(error, 'TLM_SINK_FAILED') })
  }
}

async function open(): Promise<SinkStore> {
  if (store === undefined) {
    const { openSinkStore } = (await import(moduleUrl)) as SinkModule
    store = await openSinkStore(options, role)
  }
  return store
}

function close(): void {
  try {
    store?.close()
  } catch {
    // What failed is reported already; a handle that cannot even be closed is left to the end of the thread.
  }
  store = undefined
}

function post(message: FromSinkWorker): void {
  port.postMessage(message)
}
