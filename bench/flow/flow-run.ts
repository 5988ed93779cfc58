/** One run of the real programs under an open-loop load, with the account of every sample. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { imbalanceOf as hubImbalance } from '#src/hub/hub-figures'
import { imbalanceOf as processorImbalance } from '#src/processor/processor-figures'
import { runHub, runProcessor } from '#test/support/test-program'

export interface FlowOptions {
  samplesPerSecond: number
  seconds: number
  handlers: readonly string[]
  /** Absent: the embedded store. */
  redisPort?: number
}

export interface FlowResult {
  /** Settled samples over the time from the start of the devices to the last settlement. */
  sustainedPerSecond: number
  offered: number
  dropped: number
  settled: number
  p50Ms: number
  p99Ms: number
  /** The whole distribution in HdrHistogram's text form. */
  hgrm: string
}

const DEVICES = 8
const SERIES_PER_DEVICE = 8
/** As both programs have by default. */
const SHARDS = 8

/**
 * Latency is taken from the instant a sample was due, not from when it was made: a hub that falls behind its schedule
 * shows that in full, so there is no coordinated omission to correct afterwards.
 */
export async function runFlow({ samplesPerSecond, seconds, handlers, redisPort }: FlowOptions): Promise<FlowResult> {
  const directory = await mkdtemp(join(tmpdir(), 'telemetryhub-flow-'))
  const readings = Math.ceil((samplesPerSecond * seconds) / (DEVICES * SERIES_PER_DEVICE))
  await writeFile(join(directory, 'hub.yaml'), hubConfig(samplesPerSecond, readings))
  await writeFile(
    join(directory, 'processor.yaml'),
    `handlers: [${handlers.map((type) => `{ type: ${type} }`).join(', ')}]\n`,
  )
  const env = {
    TELEMETRY_DATA: join(directory, 'data'),
    ...(redisPort !== undefined && { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redisPort) }),
  }
  const processor = runProcessor(['--config', join(directory, 'processor.yaml')], env)
  const url = await processor.ready()
  await processor.reaches('all shards owned', ({ shardsOwned }) => shardsOwned === SHARDS)
  const hub = runHub(['--config', join(directory, 'hub.yaml')], env)
  try {
    await hub.ready()
    // The devices begin now.
    const startedMs = performance.now()
    const offered = readings * DEVICES * SERIES_PER_DEVICE
    const end = await hub.reaches(
      'all offered and stored',
      ({ ledger }) => ledger.accepted === offered && ledger.inFlight === 0,
      seconds * 5000 + 30_000,
    )
    await processor.reaches(
      'all stored ones settled',
      ({ ledger }) => ledger.settled === end.ledger.delivered,
      seconds * 5000 + 30_000,
    )
    const tookMs = performance.now() - startedMs
    const hgrm = await (await fetch(`${url}/latency`)).text()
    const hubEnd = await hub.stop()
    const processorEnd = await processor.stop()
    if (hubImbalance(hubEnd.ledger) !== 0 || processorImbalance(processorEnd.ledger) !== 0) {
      throw new Error(`Ledger out of balance: ${JSON.stringify([hubEnd.ledger, processorEnd.ledger])}`)
    }
    return {
      sustainedPerSecond: processorEnd.ledger.settled / (tookMs / 1000),
      offered,
      dropped: hubEnd.ledger.dropped,
      settled: processorEnd.ledger.settled,
      p50Ms: processorEnd.latencyP50Ms,
      p99Ms: processorEnd.latencyP99Ms,
      hgrm,
    }
  } finally {
    await Promise.all([hub.kill(), processor.kill()])
    await rm(directory, { recursive: true, force: true })
  }
}

function hubConfig(samplesPerSecond: number, readings: number): string {
  const device = (index: number) => `  sim-${index}:
    driver: sim
    seed: ${index}
    samples_per_second: ${samplesPerSecond / DEVICES}
    channels: ${SERIES_PER_DEVICE}
    readings: ${readings}
`
  return `gateway: { id: bench }\ndevices:\n${Array.from({ length: DEVICES }, (_, index) => device(index)).join('')}`
}
