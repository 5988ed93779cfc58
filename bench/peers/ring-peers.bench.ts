/**
 * One thread publishes, another takes: our ring beside ringbuf.js, postMessage and a C++ SPSC queue, with the same
 * 32-byte records, batch sizes and slots. Rounds are interleaved, figures are medians; every round checks what came.
 *
 * ```text
 *   main thread --[ queue under test, 8192 records ]--> worker thread: count, sum
 * ```
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { RingBuffer } from 'ringbuf.js'
import type { Sample } from '#core/model/sample'
import { createRing } from '#core/ring/layout'
import { RingProducer } from '#core/ring/ring-producer'
import type { Bench, BenchMode, BenchRow } from '../bench.js'
import type { PeerKind, PeerThreadData } from './ring-peer-thread.js'

const SLOTS = 8192
const BATCHES = [1, 4, 64]
const RECORD_FLOATS = 4
const RECORD_WORDS = 8
const TAKEN_AT_US = 1.7e15
const CPP_SOURCE = join(import.meta.dirname, '..', '..', '..', 'bench', 'peers', 'spsc-queue.cpp')

/** Carries samples `0..samples-1` and resolves to the samples per second. */
type Round = (samples: number, batch: number) => Promise<number>
interface Contender {
  name: string
  /** Share of the samples: slow contenders carry fewer, the rate is what counts. */
  share: number
  round: Round
  close(): unknown
}

export const bench: Bench = {
  title: 'Ring against its peers, two threads, 32-byte records',
  async run(mode) {
    const contenders = [await startRing(), await startRingbuf(), await startPostMessage()]
    const cpp = compileCpp()
    if (cpp !== undefined) contenders.push(cpp)
    const rows: BenchRow[] = []
    for (const batch of BATCHES) rows.push(...(await compare(contenders, batch, mode)))
    for (const contender of contenders) await contender.close()
    if (cpp === undefined) {
      rows.push({ contender: 'C++ SPSC queue', unit: 'samples/s', value: 0, note: 'skipped: no g++' })
    }
    return rows
  },
}

async function compare(contenders: readonly Contender[], batch: number, mode: BenchMode): Promise<BenchRow[]> {
  const samples = mode === 'short' ? 2 ** 21 : 2 ** 23
  const rounds = mode === 'short' ? 5 : 9
  const rates = contenders.map((): number[] => [])
  for (let round = -1; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      const rate = await contender.round(samples * contender.share * (batch === 1 ? 1 : 4), batch)
      if (round >= 0) rates[i].push(rate) // round -1 warms up
    }
  }
  const medians = rates.map(median)
  return contenders.map(({ name }, i) => ({
    contender: `${name}, ${batch} at a time`,
    unit: 'samples/s',
    value: medians[i],
    note: i === 0 ? `median of ${rounds}, count and sum checked` : `ours is ${(medians[0] / medians[i]).toFixed(2)} x`,
  }))
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}

function checkSeen(name: string, samples: number, count: number, checksum: number): void {
  const expected = (1.5 * samples * (samples - 1)) / 2 // of value n / 2 and sequence n; exact below 2^53
  if (count === samples && checksum === expected) return
  throw new Error(`${name}: ${count} of ${samples} samples came, checksum ${checksum} instead of ${expected}.`)
}

/** Starts the consuming thread; `produce` publishes everything, the clock stops when the consumer has seen the last. */
async function startThread(
  kind: PeerKind,
  memory: SharedArrayBuffer,
  share: number,
  produce: (samples: number, batch: number, worker: Worker, signals: Int32Array) => void,
): Promise<Contender> {
  const seen = new Float64Array(new SharedArrayBuffer(16))
  const signals = new Int32Array(new SharedArrayBuffer(8))
  const workerData: PeerThreadData = { kind, memory, seen: seen.buffer, signals: signals.buffer }
  const worker = new Worker(new URL('./ring-peer-thread.js', import.meta.url), { workerData })
  await once(worker, 'message')
  const name = kind === 'ring' ? 'TelemetryHub ring' : kind
  const round: Round = async (samples, batch) => {
    const finished = Atomics.load(signals, 0) // ORDER bench: no round is under way
    worker.postMessage(samples)
    const start = process.hrtime.bigint()
    produce(samples, batch, worker, signals)
    // ORDER bench: round number after totals; partner finishRound in ring-peer-thread
    if (Atomics.wait(signals, 0, finished, 60_000) === 'timed-out') throw new Error(`${name}: no end within 60 s.`)
    const elapsedNs = Number(process.hrtime.bigint() - start)
    checkSeen(name, samples, seen[0], seen[1])
    return (samples * 1e9) / elapsedNs
  }
  return { name, share, round, close: () => worker.terminate() }
}

function startRing(): Promise<Contender> {
  const memory = createRing({ slots: SLOTS, rawBytes: 0 })
  const producer = new RingProducer(memory)
  return startThread('ring', memory, 1, (samples, batch) => {
    if (batch === 1) publishOneByOne(producer, samples)
    else publishBatches(producer, samples, batch)
  })
}

function publishOneByOne(producer: RingProducer, samples: number): void {
  const sample: Sample = { series: 0, value: 0.5, takenAtUs: TAKEN_AT_US, sequence: 0, quality: 0, priority: 1 }
  for (let n = 0; n < samples; n++) {
    sample.series = n & 1023
    sample.value = n * 0.5
    sample.takenAtUs = TAKEN_AT_US + n
    sample.sequence = n
    while (!producer.tryPublish(sample));
  }
}

function publishBatches(producer: RingProducer, samples: number, batch: number): void {
  for (let next = 0; next < samples; next += batch) {
    while (!producer.tryClaim(batch));
    for (let i = 0, n = next; i < batch; i++, n++) producer.put(i, n & 1023, n * 0.5, TAKEN_AT_US + n, n, 0, 1)
    producer.publish()
  }
}

function startRingbuf(): Promise<Contender> {
  const memory = RingBuffer.getStorageForCapacity(SLOTS * RECORD_FLOATS, Float64Array) as SharedArrayBuffer
  const queue = new RingBuffer(memory, Float64Array)
  return startThread('ringbuf.js', memory, 1, (samples, batch) => {
    const records = createRecords(batch)
    const length = records.floats.length
    for (let next = 0; next < samples; next += batch) {
      fillRecords(records, next, batch)
      for (let done = 0; done < length; ) {
        // Whole records only: a push may take part of what it is given, down to single floats.
        const room = queue.availableWrite() & -RECORD_FLOATS
        const count = Math.min(room, length - done)
        if (count > 0) done += queue.push(done === 0 ? records.floats : records.floats.subarray(done), count)
      }
    }
  })
}

function startPostMessage(): Promise<Contender> {
  return startThread('postMessage', new SharedArrayBuffer(8), 1 / 16, (samples, batch, worker, signals) => {
    const records = createRecords(batch)
    Atomics.store(signals, 1, 0) // ORDER bench: before the first message of the round
    const mostInFlight = Math.max(1, SLOTS / batch)
    for (let next = 0, sent = 0; next < samples; next += batch, sent++) {
      fillRecords(records, next, batch)
      while (sent - Atomics.load(signals, 1) >= mostInFlight); // ORDER bench: partner takeMessages
      worker.postMessage(records.floats)
    }
  })
}

interface Records {
  floats: Float64Array
  words: Uint32Array
}

function createRecords(batch: number): Records {
  const floats = new Float64Array(batch * RECORD_FLOATS)
  return { floats, words: new Uint32Array(floats.buffer) }
}

function fillRecords({ floats, words }: Records, next: number, batch: number): void {
  for (let row = 0; row < batch; row++) {
    const n = next + row
    floats[row * RECORD_FLOATS] = n * 0.5
    floats[row * RECORD_FLOATS + 1] = TAKEN_AT_US + n
    words[row * RECORD_WORDS + 4] = n & 1023
    words[row * RECORD_WORDS + 5] = n
    words[row * RECORD_WORDS + 6] = 1 << 8
  }
}

/** Compiles the C++ queue; `undefined` where there is no compiler. */
function compileCpp(): Contender | undefined {
  const name = 'C++ SPSC queue'
  const folder = mkdtempSync(join(tmpdir(), 'ring-peers-'))
  const program = join(folder, 'spsc-queue')
  try {
    execFileSync('g++', ['-std=c++17', '-O2', '-pthread', '-o', program, CPP_SOURCE])
  } catch (error) {
    rmSync(folder, { recursive: true })
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const round: Round = async (samples, batch) => {
    const output = execFileSync(program, [samples, batch, SLOTS].map(String), { encoding: 'utf8' })
    const [elapsedNs, count, checksum] = output.trim().split(' ').map(Number)
    checkSeen(name, samples, count, checksum)
    return (samples * 1e9) / elapsedNs
  }
  return { name, share: 1, round, close: () => rmSync(folder, { recursive: true }) }
}
