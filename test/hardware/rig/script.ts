import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '#test/support/seeded-random'
import type { FaultKind } from './fault-kinds.js'
import { type FaultRecord, faultsByBus, runFault, runLanes } from './fault-run.js'
import { HardwareRig } from './rig.js'
import type { RigDevice } from './rig-device.js'
import { standardRig } from './standard-rig.js'

/** A fault lasts up to so long. Milliseconds. */
const LONGEST_MS = 6000
/** No fault is seen and over in less. Milliseconds. */
const SHORTEST_MS = 100
/** Quiet time after a fault, at most. Milliseconds. */
const LONGEST_PAUSE_MS = 3000
const RECOVERS_WITHIN_MS = 30_000
/** Of lost devices in the rig. Milliseconds. */
const RETRY_MAX_MS = 5000
/** The newest value of a device is at most so old at the end. Milliseconds. */
const FRESH_MS = 3000

export interface ScriptReport {
  readonly startedAt: string
  readonly seed: number
  readonly minutes: number
  readonly faults: readonly FaultRecord[]
  readonly samples: number
  readonly imbalance: number
  readonly ledger: Readonly<Record<string, unknown>>
  readonly devices: readonly { readonly name: string; readonly counts: Readonly<Record<string, number>> }[]
  /** Empty: every promise held. */
  readonly problems: readonly string[]
}

/** Runs the hub on the standard rig for so long, each bus with one fault after another, and judges what came of it. */
export async function runScript(
  { minutes, seed }: { minutes: number; seed: number },
  say: (line: string) => void,
): Promise<ScriptReport> {
  const startedAt = new Date().toISOString()
  const rig = await HardwareRig.start(standardRig(RETRY_MAX_MS))
  try {
    await rig.wellFrom()
    say(`${rig.devices.length} devices are well; faults for ${minutes} min, seed ${seed}`)
    const startedMs = performance.now()
    const untilMs = startedMs + minutes * 60_000
    const byBus = faultsByBus(rig.devices)
    const randoms = new Map([...byBus.keys()].map((bus, lane) => [bus, seededRandom(seed + lane)]))
    const lanes = scriptOf(byBus, randoms, untilMs - startedMs)
    const faults = await runLanes(lanes, async (device, kind) => {
      if (performance.now() > untilMs) return undefined
      const random = randoms.get(device.options.bus)!
      await sleep(random() * LONGEST_PAUSE_MS)
      const options = { startedMs, lastsMs: random() * LONGEST_MS, recoversWithinMs: RECOVERS_WITHIN_MS, random }
      const record = await runFault(rig, device, kind, options)
      say(lineOf(record))
      return record
    })
    await rig.wellFrom(rig.devices, RECOVERS_WITHIN_MS).catch(() => {})
    const log = await rig.log()
    const metrics = await rig.metrics()
    const states = await rig.states()
    const endedUs = Date.now() * 1000
    const { figures, imbalance, stored } = await rig.end()
    const problems = [
      ...faults.filter(({ seenAs }) => seenAs === undefined).map((fault) => `Not seen: ${lineOf(fault)}`),
      ...faults
        .filter(({ recoveredAfterMs }) => recoveredAfterMs === undefined)
        .map((fault) => `Not recovered in time: ${lineOf(fault)}`),
      ...faults
        .filter(({ device, seenAs }) => seenAs !== undefined && log.advice(device, [seenAs]) === undefined)
        .map((fault) => `No advice in the log: ${lineOf(fault)}`),
      ...[...states.values()]
        .filter(({ state }) => state !== 'Measuring')
        .map(({ state, reason }) => `A device is in state ${state} at the end: ${reason}`),
      ...rig.devices
        .filter(({ name }) => endedUs - (stored.newestUs.get(name) ?? 0) > FRESH_MS * 1000)
        .map(({ name }) => `${name} had no good value in the last ${FRESH_MS} ms.`),
      ...stored.strays.slice(0, 20).map((stray) => `Wrong value stored as good: ${JSON.stringify(stray)}`),
      ...(imbalance === 0 ? [] : [`The ledger is out of balance by ${imbalance}.`]),
      ...(stored.samples === figures.ledger.delivered
        ? []
        : [`${figures.ledger.delivered} samples delivered, ${stored.samples} stored.`]),
    ]
    const devices = rig.devices.map(({ name }) => ({ name, counts: Object.fromEntries(metrics.counts(name)) }))
    const ledger = { ...figures.ledger }
    return { startedAt, seed, minutes, faults, samples: stored.samples, imbalance, ledger, devices, problems }
  } finally {
    await rig.close()
  }
}

/** More than can be done in the time: rounds over all faults of each bus, each round shuffled anew. */
function scriptOf(
  faults: ReadonlyMap<string, [RigDevice, FaultKind][]>,
  randoms: ReadonlyMap<string, () => number>,
  durationMs: number,
) {
  return new Map(
    [...faults].map(([bus, all]) => {
      const rounds = Math.ceil(durationMs / (all.length * SHORTEST_MS)) + 1
      return [bus, Array.from({ length: rounds }, () => shuffled(all, randoms.get(bus)!)).flat()] as const
    }),
  )
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const left = [...all]
  return all.map(() => left.splice(Math.floor(random() * left.length), 1)[0]!)
}

function lineOf({ beganMs, device, kind, lastedMs, seenAs, seenAfterMs, recoveredAfterMs }: FaultRecord): string {
  const seen = seenAs === undefined ? 'NOT SEEN' : `seen as ${seenAs} after ${seenAfterMs} ms`
  const back = recoveredAfterMs === undefined ? 'NOT RECOVERED' : `well ${recoveredAfterMs} ms after its end`
  return `${(beganMs / 1000).toFixed(1).padStart(6)} s  ${device} ${kind} for ${lastedMs} ms: ${seen}, ${back}`
}
