import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '#test/support/seeded-random'
import { FAULT_KINDS, type FaultKind } from './rig/fault-kinds.js'
import { type FaultRecord, faultsByBus, runFault, runLanes } from './rig/fault-run.js'
import { HardwareRig } from './rig/rig.js'
import type { RigDevice } from './rig/rig-device.js'
import { SLAVES, standardRig } from './rig/standard-rig.js'

const SEED = 7
const QUIET_MS = 5000
const DEAD_MS = 15_000
/** Share of their readings that the neighbours of a dead slave may lose. */
const NEIGHBOURS_LOSE = 0.05

describe('the hub on virtual hardware', { timeout: 200_000 }, async () => {
  const rig = await HardwareRig.start(standardRig(1000))
  after(() => rig.close())
  let records: FaultRecord[] = []

  it('reads all devices on all kinds of buses', async () => {
    await rig.wellFrom()
  })

  it('keeps the rate of seven slaves while the eighth is dead', async () => {
    const dead = rig.device('rs485-3')
    const others = rig.devices.filter(({ options }) => options.bus === 'rs485' && options.name !== dead.name)
    const silent = FAULT_KINDS.find(({ name, bus }) => name === 'silent' && bus === 'serial')!
    /** Readings a second of each. */
    const rates = async (ms: number) => {
      const [before, startedMs] = [await rig.metrics(), performance.now()]
      await sleep(ms)
      const metrics = await rig.metrics()
      const seconds = (performance.now() - startedMs) / 1000
      return others.map(({ name }) => (metrics.readings(name) - before.readings(name)) / seconds)
    }
    const quiet = await rates(QUIET_MS)
    const end = await silent.begin(dead, Math.random)
    const troubled = await rates(DEAD_MS)
    const metrics = await rig.metrics()
    await end()
    assert.ok((metrics.counts(dead.name).get('timeout') ?? 0) > 0)
    assert.equal(others.length, SLAVES - 1)
    for (const [at, { name }] of others.entries()) {
      const share = troubled[at]! / quiet[at]!
      assert.ok(share > 1 - NEIGHBOURS_LOSE, `${name} kept ${(share * 100).toFixed(1)} % of its rate.`)
    }
    await rig.wellFrom()
  })

  it('names each fault in its metrics, and each device recovers by itself', async () => {
    const random = seededRandom(SEED)
    const startedMs = performance.now()
    records = await runLanes(onceABus(), (device, kind) =>
      runFault(rig, device, kind, { startedMs, lastsMs: 0, recoversWithinMs: 20_000, random }),
    )
    const unseen = records.filter(({ seenAs }) => seenAs === undefined)
    assert.deepEqual(unseen, [])
    assert.deepEqual(
      records.filter(({ recoveredAfterMs }) => recoveredAfterMs === undefined),
      [],
    )
    assert.deepEqual(
      FAULT_KINDS.filter(({ name }) => !records.some(({ kind }) => kind === name)),
      [],
    )
    await rig.wellFrom()
  })

  it('says in its log what to do about each of them', async () => {
    const log = await rig.log()
    const silent = records.filter(({ device, seenAs }) => log.advice(device, [seenAs!]) === undefined)
    assert.deepEqual(silent, [])
  })

  it('accounts for every sample, and stores no value that a device cannot have said', async () => {
    const endedUs = Date.now() * 1000
    const { figures, imbalance, stored } = await rig.end()
    assert.equal(imbalance, 0)
    assert.equal(stored.samples, figures.ledger.delivered)
    assert.deepEqual(stored.strays, [])
    for (const { name } of rig.devices) {
      const ageMs = (endedUs - (stored.newestUs.get(name) ?? 0)) / 1000
      assert.ok(ageMs < 3000, `The newest value of ${name} was ${ageMs.toFixed(0)} ms old at the end.`)
    }
  })

  /** Each kind of fault once on each bus that it can happen on. */
  function onceABus(): Map<string, [RigDevice, FaultKind][]> {
    const once = [...faultsByBus(rig.devices)].map(([bus, faults]): [string, [RigDevice, FaultKind][]] => [
      bus,
      [...new Map(faults.map(([device, kind]) => [kind, [device, kind] as [RigDevice, FaultKind]])).values()],
    ])
    return new Map(once)
  }
})
