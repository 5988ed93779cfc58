/**
 * Runs schedules: `npm run simulate -- --seed 1 --schedules 1000 [--size small|large] [--trace] [--mutation n]`.
 * Prints each failing seed with the command that shows it again, and ends with status 1 when there was one. SIGINT and
 * SIGTERM end it after the schedule under way.
 */
import { parseArgs } from 'node:util'
import { Coverage } from './engine/coverage.js'
import { MUTATIONS } from './mutations.js'
import { runSchedule } from './schedule.js'
import { WORLD_SIZES, type WorldSize } from './world-plan.js'

/** Failing seeds after which it gives up. */
const MAX_FAILURES = 20

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    schedules: { type: 'string', default: '1000' },
    size: { type: 'string' },
    mutation: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const schedules = Number(values.schedules)
const size = values.size as WorldSize | undefined
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(schedules) || (size && !WORLD_SIZES.includes(size))) {
  throw new Error('Usage: simulate --seed <whole> --schedules <whole> [--size small|large] [--trace] [--mutation <n>]')
}
const mutation = values.mutation === undefined ? undefined : MUTATIONS[Number(values.mutation)]

const { now } = performance
const clockMs = () => now.call(performance)
const startedMs = clockMs()
const coverage = new Coverage()
let failures = 0
let events = 0
let virtualMs = 0
let longestDrainMs = 0
let done = 0
let isEnding = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    isEnding = true
  })
}
for (; done < schedules && failures < MAX_FAILURES && !isEnding; done++) {
  const worldSize = size ?? WORLD_SIZES[(seed + done) % WORLD_SIZES.length]
  const result = await runSchedule({
    seed: seed + done,
    size: worldSize,
    keepsTrace: values.trace,
    ...(mutation && { mutation, plan: mutation.plan ?? {} }),
  })
  coverage.addAll(result.coverage)
  events += result.events
  virtualMs += result.virtualMs
  longestDrainMs = Math.max(longestDrainMs, result.drainMs)
  if (values.trace) console.log([JSON.stringify(result.plan), ...result.trace, `hash ${result.hash}`].join('\n'))
  if (result.violations.length === 0) continue
  failures++
  console.log(`seed ${result.seed} (${worldSize}) violates:\n  ${result.violations.slice(0, 5).join('\n  ')}`)
  const broken = values.mutation === undefined ? '' : ` --mutation ${values.mutation}`
  console.log(`  npm run simulate -- --seed ${result.seed} --schedules 1 --size ${worldSize}${broken} --trace`)
}
const seconds = (clockMs() - startedMs) / 1000
console.log(coverage.toString())
console.log(
  `${done} schedules from seed ${seed}, ${failures} failed; ${seconds.toFixed(1)} s, ${(done / seconds).toFixed(0)} a second; ` +
    `${events} events, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours, longest drain ${(longestDrainMs / 1000).toFixed(1)} s`,
)
if (failures > 0) process.exitCode = 1
