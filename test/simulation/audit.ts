import { type DeviceState, DeviceStates } from './actors/device-state.js'
import { isDeadly } from './actors/marks.js'
import type { World } from './world.js'

/** Whether all that was published is stored, and all that is stored is settled. */
export function isQuiet({ hubs, redis }: World): boolean {
  return hubs.every(({ isDone }) => isDone) && redis.shards.every(({ unsettled }) => unsettled === 0)
}

/** What is not over, for a schedule that did not come to its end. */
export function describeRest({ hubs, redis }: World): string {
  const rest = redis.shards.map(({ streams, delayed, owner }, shard) => {
    return `shard ${shard} of ${owner.holder}: ${streams.map(({ entries }) => entries.length).join('+')} entries, ${delayed.size} delayed`
  })
  return [...hubs.filter(({ isDone }) => !isDone).map(({ name }) => `${name} is not done`), ...rest].join('; ')
}

/** Looks at a world at rest: it must be as if nothing had ever gone wrong. */
export function auditWorld(world: World): void {
  auditHubs(world)
  auditSettlements(world)
  auditStates(world)
  for (const processor of world.processors) {
    const fault = processor.findFault()
    if (fault !== undefined) world.violated(fault)
  }
}

/** What was published is stored, but for what the store has lost and hubs do not hold any more: that they must have counted. */
function auditHubs(world: World): void {
  const { hubs, names, oracle, deviceOf } = world
  for (const hub of hubs) {
    const { samplesDelivered, samplesRolledBack } = hub.totals
    if (samplesDelivered + samplesRolledBack !== hub.published) {
      world.violated(
        `${hub.name} published ${hub.published}, delivered ${samplesDelivered}, rolled back ${samplesRolledBack}`,
      )
    }
    if (oracle.travels > 0) continue
    if (samplesRolledBack > 0) world.violated(`${hub.name} counts ${samplesRolledBack} samples as rolled back`)
    for (const name of names.filter((device) => device.startsWith(`${hub.name}d`))) {
      const stored = oracle.nextSequenceOf(deviceOf(name))
      if (stored !== hub.publishedOf(name)) {
        world.violated(`of ${name} ${hub.publishedOf(name)} samples were published and ${stored} stored`)
      }
    }
  }
  if (oracle.travels > 0) auditLosses(world)
}

/** After the store went back: samples that are missing were stored and lost, and are counted if anything came after them. */
function auditLosses(world: World): void {
  const { hubs, names, oracle } = world
  const stored = new Set<string>()
  for (const { samples } of oracle.batches.values()) {
    for (const { device, sequence } of samples) stored.add(`${device}/${sequence}`)
  }
  const lost = new Set<string>()
  for (const { samples } of oracle.lost.values()) {
    for (const { device, sequence } of samples) lost.add(`${device}/${sequence}`)
  }
  for (const hub of hubs) {
    let missing = 0
    for (const [device, name] of names.entries()) {
      if (!name.startsWith(`${hub.name}d`)) continue
      for (let sequence = 0; sequence < hub.publishedOf(name); sequence++) {
        if (stored.has(`${device}/${sequence}`)) continue
        missing++
        if (!lost.has(`${device}/${sequence}`)) world.violated(`sample ${sequence} of ${name} was never stored`)
      }
    }
    const { samplesRolledBack } = hub.totals
    if (samplesRolledBack > missing) {
      world.violated(`${hub.name} counts ${samplesRolledBack} samples as rolled back, ${missing} are missing`)
    }
    if (missing > samplesRolledBack) world.coverage.add('rolled back unseen', 'nothing came after')
  }
}

/** Every batch is settled; those and only those are dead letters that deserve it. */
function auditSettlements(world: World): void {
  const { oracle, redis, coverage } = world
  for (const { id, mark } of oracle.batches.values()) {
    if (!oracle.settled.has(id)) world.violated(`batch ${id} is neither settled nor in the store`)
    if (isDeadly(mark) && !oracle.dead.has(id)) world.violated(`batch ${id} should be a dead letter: ${mark}`)
    coverage.add('batch', oracle.dead.has(id) ? 'dead' : 'applied')
  }
  for (const [shard, { dead, samples, bytes, deliveries, held }] of redis.shards.entries()) {
    if (deliveries.size + held.size > 0) {
      world.violated(`shard ${shard} remembers ${deliveries.size} deliveries and ${held.size} bodies of nothing`)
    }
    const expected = [...oracle.batches.values()].filter((batch) => batch.shard === shard && oracle.dead.has(batch.id))
    if (dead.length !== expected.length) {
      world.violated(`shard ${shard} has ${dead.length} dead letters, ${expected.length} batches are dead`)
    }
    if (samples !== 0 || bytes !== 0) {
      world.violated(`shard ${shard} counts ${samples} samples and ${bytes} bytes when nothing is left`)
    }
  }
}

/** The saved state of every device is that of a run in which nothing went wrong, and so are the findings. */
function auditStates(world: World): void {
  const { names, oracle, redis, sinkTable } = world
  const quiet = new DeviceStates(names.length)
  for (const { id, mark, samples } of oracle.batches.values()) {
    if (oracle.dead.has(id)) continue
    for (const { device, sequence } of samples) quiet.apply(device, sequence, mark !== 'none')
    if (sinkTable.get(`batch/${id}`) === undefined) world.violated(`batch ${id} has left no finding`)
  }
  const saved = new DeviceStates(names.length)
  for (const { state } of redis.shards) saved.load(state, names)
  for (const [device, name] of names.entries()) {
    const expected = JSON.stringify(quiet.read(device) satisfies DeviceState)
    const actual = JSON.stringify(saved.read(device))
    if (actual !== expected) world.violated(`the state of ${name} is ${actual}, that of a quiet run is ${expected}`)
    const { count, hash } = quiet.read(device)
    const finding = sinkTable.get(`device/${device}`)
    if (oracle.travels > 0 || count === 0) continue
    if (finding?.revision !== count || finding.body !== JSON.stringify({ count, hash })) {
      world.violated(`the last finding of ${name} is ${JSON.stringify(finding)}, not ${count}, ${hash}`)
    }
  }
}
