/**
 * Loaded into hub and processors by `--import`, in every thread: failpoints between the steps of the protocol, a trace of
 * refused settlements, and SIGUSR2, which ends the hub's drain workers. The programs themselves know nothing of it.
 */
import { EventEmitter } from 'node:events'
import { isMainThread, type TransferListItem, Worker } from 'node:worker_threads'
import { Redis } from 'ioredis'
import { Piscina } from 'piscina'
import { die, pass, trace } from './failpoints.js'
import { type SentCommand, stepOf } from './redis-steps.js'

/** How long a commit is withheld before its process is killed. */
const WITHHOLD_MS = 1500
const FENCED = -2

interface Command extends SentCommand {
  resolve(value: unknown): void
  reject(error: Error): void
}

interface Commit {
  kind?: string
  findings?: readonly unknown[]
  chunks?: readonly unknown[]
}

let isWithholding = false
/** The run of a checkpoint has replied, and its findings are not on their way yet. */
let isCheckpointUnwritten = false

watchRedis()
if (isMainThread) {
  watchRuns()
  watchWorkers()
}

function watchRedis(): void {
  const { sendCommand } = Redis.prototype
  Redis.prototype.sendCommand = function (this: Redis, ...given: Parameters<typeof sendCommand>) {
    const command = given[0] as unknown as Command
    const step = stepOf(command)
    if (step !== undefined) {
      pass(step, 'before')
      const { resolve } = command
      command.resolve = (value) => {
        if (isAnswer(step, value)) {
          if (isRefused(step, value)) trace(`fenced ${step}`)
          if (pass(step, 'replied') === 'lose') {
            this.disconnect()
            return command.reject(new Error('Connection is closed.'))
          }
        }
        resolve(value)
      }
    }
    return sendCommand.apply(this, given)
  }
}

/** A read that brought nothing is none. */
function isAnswer(step: string, value: unknown): boolean {
  return step !== 'read' || value !== null
}

/** A step that a former owner tried: Redis did nothing. */
function isRefused(step: string, value: unknown): boolean {
  return value === FENCED || (value === 0 && (step === 'renew' || step === 'regroup'))
}

function watchRuns(): void {
  const { run } = Piscina.prototype
  Piscina.prototype.run = async function (this: Piscina, ...given: Parameters<typeof run>) {
    const { entries = [], checkpoint } = given[0] as { entries?: readonly unknown[]; checkpoint?: boolean }
    if (entries.length === 0) return run.apply(this, given)
    pass('run', 'before')
    const reply: unknown = await run.apply(this, given)
    pass('run', 'replied')
    isCheckpointUnwritten ||= checkpoint === true
    return reply
  }
}

function watchWorkers(): void {
  const drainWorkers = new Set<Worker>()
  let isCommitting = false
  const { postMessage } = Worker.prototype
  Worker.prototype.postMessage = function (this: Worker, message: Commit, transfer?: readonly TransferListItem[]) {
    const { kind, findings = [], chunks = [] } = message ?? {}
    if (kind === 'commit' && findings.length + chunks.length > 0) {
      isCommitting = true
      pass('commit', 'before')
      if (isCheckpointUnwritten && pass('checkpoint-commit', 'before') === 'withhold') isWithholding = true
      isCheckpointUnwritten = false
      if (isWithholding) {
        setTimeout(die, WITHHOLD_MS)
        return
      }
    }
    postMessage.call(this, message, transfer)
  }
  Worker.prototype.emit = function (this: Worker, ...given: Parameters<EventEmitter['emit']>) {
    const { kind } = (given[0] === 'message' ? ((given[1] ?? {}) as Commit) : {}) as Commit
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
