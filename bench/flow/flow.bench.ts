import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HANDLER_TYPES } from '#core/model/finding'
import { startRedis } from '#test/support/redis-server'
import type { Bench, BenchMode, BenchRow } from '../bench.js'
import { runFlow } from './flow-run.js'

interface Load {
  samplesPerSecond: number
  seconds: number
}

const LOADS: Readonly<Record<BenchMode, readonly Load[]>> = {
  short: [
    { samplesPerSecond: 5_000, seconds: 3 },
    { samplesPerSecond: 1_000_000, seconds: 2 },
  ],
  full: [
    // A minute is measured; before it the programs get as fast as they will be.
    { samplesPerSecond: 5_000, seconds: 65 },
    { samplesPerSecond: 1_000_000, seconds: 15 },
    { samplesPerSecond: 5_000_000, seconds: 5 },
  ],
}
const HANDLERS = { analyze: ['telemetry.analyze'], all: HANDLER_TYPES } as const

/** Driver to finding with the programs as users run them, each a process of its own. */
export const bench: Bench = {
  title: 'Flow: simulated devices → hub → store → processor → SQLite (open loop)',
  async run(mode) {
    const redis = await startRedis(['--maxmemory', '4gb'])
    const rows: BenchRow[] = []
    try {
      for (const load of LOADS[mode]) {
        for (const [name, handlers] of Object.entries(HANDLERS)) {
          for (const store of ['redis', 'embedded'] as const) {
            const redisPort = store === 'redis' ? { redisPort: redis.port } : {}
            const result = await runFlow({ ...load, handlers, ...redisPort })
            const contender = `${store}, ${name}, ${load.samplesPerSecond.toLocaleString('en-GB')}/s offered`
            const dropped = `${result.dropped} of ${result.offered} refused by a full ring`
            rows.push({ contender, unit: 'samples/s', value: result.sustainedPerSecond, note: dropped })
            rows.push({ contender, unit: 'ms p50', value: result.p50Ms, note: 'of the last minute' })
            rows.push({ contender, unit: 'ms p99', value: result.p99Ms })
            saveDistribution(`${store}-${name}-${load.samplesPerSecond}`, result.hgrm)
          }
        }
      }
    } finally {
      await redis.stop()
    }
    return rows
  },
}

function saveDistribution(name: string, hgrm: string): void {
  const folder = join(process.cwd(), 'bench-results')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${name}.hgrm`), hgrm)
}
