import { auditWorld, describeRest, isQuiet } from './audit.js'
import type { Coverage } from './engine/coverage.js'
import { Scheduler } from './engine/scheduler.js'
import { SeededRandom } from './engine/seeded-random.js'
import { Trace } from './engine/trace.js'
import { enterVirtualTime } from './engine/virtual-globals.js'
import { type Mutation, withMutation } from './mutations.js'
import { unleashNemesis } from './nemesis.js'
import { World } from './world.js'
import { drawPlan, type WorldPlan, type WorldSize } from './world-plan.js'

/** After the last fault everything must be over within this time: backoffs, leases and trials of suspects included. */
const DRAIN_MS = 600_000
const LOOK_EVERY_MS = 100
/** No schedule has so many: something goes round in circles. */
const MAX_EVENTS = 2_000_000

export interface ScheduleOptions {
  seed: number
  size: WorldSize
  /** Breaks the product or the store on purpose. */
  mutation?: Mutation
  /** Keeps the lines of the trace. */
  keepsTrace?: boolean
  /** Replaces parts of the drawn plan. */
  plan?: Partial<WorldPlan>
}

export interface ScheduleResult {
  seed: number
  size: WorldSize
  /** Empty: all was well. */
  violations: readonly string[]
  /** The same for the same seed. */
  hash: string
  trace: readonly string[]
  plan: WorldPlan
  coverage: Coverage
  events: number
  virtualMs: number
  /** Virtual time from the last fault until everything was settled. */
  drainMs: number
}

/** Runs one schedule, from the first reading until everything is settled. */
export async function runSchedule(options: ScheduleOptions): Promise<ScheduleResult> {
  const { seed, size, mutation, keepsTrace = false } = options
  const random = new SeededRandom(seed)
  const plan = { ...drawPlan(random.fork(), size), ...options.plan }
  const trace = new Trace(keepsTrace)
  const scheduler = new Scheduler(trace, random.fork())
  const leave = enterVirtualTime(scheduler, random.fork())
  let world: World | undefined
  const onRejection = (reason: unknown) => world?.violated(`unhandled: ${(reason as Error)?.stack ?? String(reason)}`)
  process.on('unhandledRejection', onRejection)
  const undo = withMutation(mutation)
  const { stackTraceLimit } = Error
  // Most errors are part of the play, and their stacks would cost more than all the rest.
  if (!keepsTrace) Error.stackTraceLimit = 0
  let drainMs = 0
  try {
    world = new World(plan, scheduler, random.fork(), new Set(mutation?.store ? [mutation.store] : []))
    drainMs = await play(world)
    if (world.violations.length === 0) auditWorld(world)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    undo()
    leave()
    process.off('unhandledRejection', onRejection)
  }
  const { violations, coverage } = world
  const { events, nowMs: virtualMs } = scheduler
  return { seed, size, violations, hash: trace.hash, trace: trace.lines, plan, coverage, events, virtualMs, drainMs }
}

/** @returns virtual time from the last fault until the world was quiet */
async function play(world: World): Promise<number> {
  const { plan, scheduler, hubs, processors } = world
  for (const hub of hubs) hub.start()
  for (const processor of processors) processor.start()
  unleashNemesis(world)
  let isOver = false
  let quietMs = 0
  scheduler.at(plan.faultyMs, undefined, 'faults end', () => {
    world.endFaults()
    for (const hub of hubs) hub.stopWhenAllIsPublished()
  })
  const look = () => {
    for (const processor of processors) {
      const fault = processor.findFault()
      if (fault !== undefined) world.violated(fault)
    }
    quietMs = scheduler.nowMs - plan.faultyMs
    if (!world.isFaulty && isQuiet(world)) isOver = true
    else if (quietMs > DRAIN_MS) {
      world.violated(`not over ${DRAIN_MS / 1000} s after the last fault: ${describeRest(world)}`)
    } else scheduler.at(LOOK_EVERY_MS, undefined, 'look', look)
  }
  scheduler.at(LOOK_EVERY_MS, undefined, 'look', look)
  await scheduler.run(() => {
    if (scheduler.events > MAX_EVENTS) world.violated(`more than ${MAX_EVENTS} events: ${describeRest(world)}`)
    return isOver || world.violations.length > 0
  })
  return quietMs
}
