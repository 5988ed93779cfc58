import { MARKS, type Mark } from './actors/marks.js'
import type { SeededRandom } from './engine/seeded-random.js'
import { NETWORK_FAULTS, type NetworkFault } from './network/fault-plan.js'

/** What the nemesis does. */
export const NEMESES = [
  'processor crashes',
  'processor stops for a while',
  'processor restarts',
  'drain worker crashes',
  'drain worker crashes within a step',
  'drain worker stops for a while',
  'store restarts',
  'store goes back in time',
] as const
export type Nemesis = (typeof NEMESES)[number]

/** One world, drawn from a seed: sizes, times, and which troubles it has. Times in virtual milliseconds. */
export interface WorldPlan {
  readonly shards: number
  readonly hubs: number
  readonly devicesPerHub: number
  readonly samplesPerHub: number
  /** Mean time between two readings of a hub. */
  readonly publishEveryMs: number
  readonly batchSamples: number
  readonly chunkSamples: number
  readonly chunksInFlight: number
  readonly maxAgeMs: number
  readonly processors: number
  readonly leaseMs: number
  /** Entries of one processor. */
  readonly maxInFlight: number
  readonly checkpoint: { readonly intervalMs: number; readonly maxEntries: number }
  readonly maxRetries: number
  readonly redis: {
    readonly host: string
    readonly port: number
    readonly queueName: string
    readonly commandTimeoutMs: number
  }
  readonly latencyMs: number
  readonly runMs: number
  readonly sinkMs: number
  /** Faults happen until then. */
  readonly faultyMs: number
  readonly networkFaults: readonly NetworkFault[]
  /** Faults per command. */
  readonly networkFaultRate: number
  readonly nemeses: readonly Nemesis[]
  readonly nemesisEveryMs: number
  readonly marks: readonly Mark[]
  /** Marks per sample. */
  readonly markRate: number
  readonly slowRunRate: number
  readonly runDeathRate: number
  readonly sinkLossRate: number
}

export const WORLD_SIZES = ['small', 'large'] as const
/** `small`: three processors and about five batches; `large`: two hubs, more shards, dozens of batches. */
export type WorldSize = (typeof WORLD_SIZES)[number]

/**
 * Draws a world. Each kind of trouble is there or not by the toss of a coin, so that worlds differ in kind, not only in
 * detail (swarm testing, Groce et al., ISSTA 2012).
 */
export function drawPlan(random: SeededRandom, size: WorldSize): WorldPlan {
  const isSmall = size === 'small'
  const some = <T>(choices: readonly T[]) => choices.filter(() => random.chance(0.5))
  const rate = (highest: number) => (random.chance(0.5) ? 0 : random.between(0, highest))
  const batchSamples = random.whole(2, 5)
  return {
    shards: isSmall ? random.whole(1, 2) : random.whole(1, 5),
    hubs: isSmall ? 1 : random.whole(1, 2),
    devicesPerHub: random.whole(1, isSmall ? 3 : 5),
    samplesPerHub: isSmall ? random.whole(10, 20) : random.whole(20, 90),
    publishEveryMs: random.pick([2, 10, 30]),
    batchSamples,
    chunkSamples: batchSamples * random.whole(1, 4),
    chunksInFlight: random.whole(1, 4),
    maxAgeMs: random.pick([0, 5, 50]),
    processors: isSmall ? 3 : random.whole(1, 4),
    leaseMs: random.pick([400, 1000, 2000]),
    maxInFlight: random.pick([2, 8, 20, 50, 100]),
    checkpoint: { intervalMs: random.pick([50, 200, 1000]), maxEntries: random.pick([1, 3, 50]) },
    maxRetries: random.whole(1, 3),
    redis: { host: 'model', port: 6379, queueName: 'telemetry:tasks', commandTimeoutMs: random.pick([100, 300, 800]) },
    latencyMs: random.pick([0.5, 3, 15]),
    runMs: random.pick([1, 10, 60]),
    sinkMs: random.pick([1, 10, 100]),
    faultyMs: random.between(200, isSmall ? 2500 : 5000),
    networkFaults: some(NETWORK_FAULTS),
    networkFaultRate: random.pick([0.005, 0.02, 0.08]),
    nemeses: some(NEMESES),
    nemesisEveryMs: random.pick([100, 300, 1000]),
    marks: some(MARKS.slice(1)),
    markRate: random.pick([0, 0.02, 0.1]),
    slowRunRate: rate(0.1),
    runDeathRate: rate(0.1),
    sinkLossRate: rate(0.1),
  }
}
