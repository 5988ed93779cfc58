/** What a sample costs the hub's two threads, each measured on its own: taking it in, and draining and sealing it. */
import { createColumns } from '#core/model/columns'
import { createRing } from '#core/ring/layout'
import { RingConsumer } from '#core/ring/ring-consumer'
import { RingProducer } from '#core/ring/ring-producer'
import { createWallMemory, WallReader, WallWriter } from '#core/time/wall-memory'
import { Intake } from '#src/hub/intake/intake'
import { ONE_FOR_ALL } from '#src/hub/intake/ring-classes'
import { RingLane } from '#src/hub/intake/ring-lane'
import { SeriesRegistry } from '#src/hub/intake/series-registry'
import { NO_SHEDDING, SheddingLadder } from '#src/hub/intake/shedding-ladder'
import { SeriesCatalogue } from '#workers/drain/series-catalogue'
import { StreamOutlet } from '#workers/drain/stream-outlet'
import type { Bench, BenchRow } from '../bench.js'

const DEVICES = 8
const SHARDS = 8
const CHUNK = 32_768

export const bench: Bench = {
  title: 'Hub on one thread: intake into the ring, then drain and seal (CPU time)',
  async run(mode) {
    const rows: BenchRow[] = []
    for (const [channels, stamps] of [
      [1, 'wall time'],
      [1, 'hub time'],
      [8, 'wall time'],
      [8, 'hub time'],
    ] as const) {
      const { intakeNs, sealNs, bytes } = measure(channels, mode === 'short' ? 60 : 400, stamps === 'hub time')
      const contender = `readings of ${channels}, ${stamps}`
      rows.push({ contender: `${contender}: intake`, unit: 'ns/sample', value: intakeNs })
      rows.push({ contender: `${contender}: drain and seal`, unit: 'ns/sample', value: sealNs, note: 'count checked' })
      rows.push({ contender: `${contender}: batches`, unit: 'bytes/sample', value: bytes })
    }
    return rows
  },
}

/** @param isHubTime stamps are mapped to wall time when they are sealed, as the hub does it; else they are wall time already */
function measure(channels: number, chunks: number, isHubTime: boolean) {
  const memory = createRing({ slots: 2 * CHUNK, rawBytes: 4096 })
  const registry = new SeriesRegistry(65_536)
  const lanes = [new RingLane(new RingProducer(memory))]
  const startUs = Date.UTC(2026, 0) * 1000
  const wallMemory = createWallMemory()
  new WallWriter(wallMemory).write([{ atUs: 0, offsetUs: startUs }])
  const wall = new WallReader(wallMemory)
  const ladder = new SheddingLadder(NO_SHEDDING)
  const stampOriginUs = isHubTime ? startUs : undefined
  const intake = new Intake({ lanes, classes: ONE_FOR_ALL, registry, ladder, stampOriginUs, onReject: () => {} })
  const devices = Array.from({ length: DEVICES }, (_, n) =>
    intake.addDevice(`device-${n}`, { priority: 1, overflow: 'refuse-newest' }),
  )
  const ids = devices.map((device) => Uint32Array.from({ length: channels }, (_, n) => device.series(`c${n}`, '')!))
  const values = Float64Array.from({ length: channels }, () => Math.random())
  const consumer = new RingConsumer(memory)
  const catalogue = new SeriesCatalogue(SHARDS, registry.descriptors)
  const store = { shards: SHARDS, append: async () => [], close: async () => {} }
  const sizes = { maxSamples: 4096, maxBytes: 65_300, capacity: CHUNK }
  const outlet = new StreamOutlet({ store, catalogue, producer: 'bench.r0', epoch: 1, ...sizes })
  const columns = createColumns(CHUNK)
  const seqs = new Float64Array(SHARDS)
  const sums = { intakeNs: 0, sealNs: 0, bytes: 0, samples: 0 }
  const warmUp = Math.ceil(chunks / 4)
  let takenAtUs = startUs
  for (let chunk = -warmUp; chunk < chunks; chunk++) {
    if (chunk === 0) Object.assign(sums, { intakeNs: 0, sealNs: 0, bytes: 0, samples: 0 })
    const startNs = cpuNs()
    for (let made = 0; made < CHUNK; made += DEVICES * channels) {
      takenAtUs += 10
      for (let n = 0; n < DEVICES; n++) devices[n].reading(takenAtUs + n, ids[n], values)
    }
    const filledNs = cpuNs()
    consumer.drain(columns)
    if (isHubTime) {
      wall.load()
      wall.stamp(columns.takenAtUs, columns.count)
    }
    for (const { bytes, samples } of outlet.cut(columns, seqs)) {
      sums.bytes += bytes
      sums.samples += samples
    }
    consumer.release(columns.count)
    sums.intakeNs += filledNs - startNs
    sums.sealNs += cpuNs() - filledNs
  }
  if (sums.samples !== chunks * CHUNK) throw new Error(`${sums.samples} samples came of ${chunks * CHUNK}.`)
  return {
    intakeNs: sums.intakeNs / sums.samples,
    sealNs: sums.sealNs / sums.samples,
    bytes: sums.bytes / sums.samples,
  }
}

/** CPU time, not wall time: other programs on the machine do not count. */
function cpuNs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}
