import { EventEmitter } from 'node:events'
import { type TransferListItem, Worker } from 'node:worker_threads'
import { die, pass } from './failpoints.js'

/** How long a commit is withheld before its process is killed. */
const WITHHOLD_MS = 1500

/** What programs send to their threads and hear from them. */
interface ThreadMessage {
  kind?: string
  findings?: readonly unknown[]
  chunks?: readonly unknown[]
}

/** The run of a checkpoint has replied, and its findings are not on their way yet. */
let isCheckpointUnwritten = false
let isWithholding = false
let isCommitting = false

/** The next commit holds the findings of a checkpoint. */
export function expectCheckpointCommit(): void {
  isCheckpointUnwritten = true
}

/** Passes points around each commit of findings, and ends drain workers on SIGUSR2. Thread: main. */
export function watchWorkers(): void {
  const drainWorkers = new Set<Worker>()
  const { postMessage } = Worker.prototype
  Worker.prototype.postMessage = function (
    this: Worker,
    message: ThreadMessage,
    transfer?: readonly TransferListItem[],
  ) {
    if (isCommit(message) && withholds()) setTimeout(die, WITHHOLD_MS)
    else postMessage.call(this, message, transfer)
  }
  Worker.prototype.emit = function (this: Worker, ...given: Parameters<EventEmitter['emit']>) {
    const message = given[0] === 'message' ? (given[1] as ThreadMessage | undefined) : undefined
    const kind = message?.kind
    if (kind === 'committed' && isCommitting) {
      isCommitting = false
      pass('commit', 'replied')
    }
    if (kind === 'ready' || kind === 'progress') drainWorkers.add(this)
    if (given[0] === 'exit') drainWorkers.delete(this)
    return EventEmitter.prototype.emit.apply(this, given)
  }
  process.on('SIGUSR2', () => {
    for (const worker of drainWorkers) void worker.terminate()
  })
}

function isCommit(message: ThreadMessage | undefined): boolean {
  const { kind, findings = [], chunks = [] } = message ?? {}
  return kind === 'commit' && findings.length + chunks.length > 0
}

function withholds(): boolean {
  isCommitting = true
  pass('commit', 'before')
  if (isCheckpointUnwritten && pass('checkpoint-commit', 'before') === 'withhold') isWithholding = true
  isCheckpointUnwritten = false
  return isWithholding
}
