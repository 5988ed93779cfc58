import { setTimeout as sleep } from 'node:timers/promises'
import { type FaultKind, faultsFor } from './fault-kinds.js'
import type { HardwareRig } from './rig.js'
import type { RigDevice } from './rig-device.js'

/** How long a fault may last until the hub says so: a receiver that falls silent is given seconds. */
const SEEN_WITHIN_MS = 20_000

/** What became of one fault. */
export interface FaultRecord {
  readonly device: string
  readonly bus: string
  readonly kind: string
  /** Since the start of the run. Milliseconds. */
  readonly beganMs: number
  readonly lastedMs: number
  /** The result that told of it; `undefined`: the hub did not see it. */
  readonly seenAs: string | undefined
  readonly seenAfterMs: number
  /** Until all devices of the bus were well after its end; `undefined`: not in time. Milliseconds. */
  readonly recoveredAfterMs: number | undefined
}

export interface FaultRunOptions {
  readonly startedMs: number
  /** Lasts at least so long. Milliseconds. */
  readonly lastsMs: number
  readonly recoversWithinMs: number
  readonly random: () => number
}

/** A fault from its begin until its bus is well again. */
export async function runFault(
  rig: HardwareRig,
  device: RigDevice,
  kind: FaultKind,
  { startedMs, lastsMs, recoversWithinMs, random }: FaultRunOptions,
): Promise<FaultRecord> {
  const { name } = device
  const before = (await rig.metrics()).counts(name)
  const beganMs = performance.now()
  const end = await kind.begin(device, random)
  let seenAs: string | undefined
  await rig.until((metrics) => {
    const counts = metrics.counts(name)
    seenAs = kind.shows.find((result) => (counts.get(result) ?? 0) > (before.get(result) ?? 0))
    return seenAs !== undefined
  }, SEEN_WITHIN_MS)
  const seenAfterMs = performance.now() - beganMs
  await sleep(Math.max(0, lastsMs - seenAfterMs))
  await end()
  const endedMs = performance.now()
  const mates = rig.devices.filter(({ options }) => options.bus === device.options.bus)
  const isWell = await rig.wellFrom(mates, recoversWithinMs).then(
    () => true,
    () => false,
  )
  return {
    device: name,
    bus: device.options.bus,
    kind: kind.name,
    beganMs: Math.round(beganMs - startedMs),
    lastedMs: Math.round(endedMs - beganMs),
    seenAs,
    seenAfterMs: Math.round(seenAfterMs),
    recoveredAfterMs: isWell ? Math.round(performance.now() - endedMs) : undefined,
  }
}

/** All that can go wrong on each bus, by the bus. */
export function faultsByBus(devices: readonly RigDevice[]): Map<string, [RigDevice, FaultKind][]> {
  const faults = new Map<string, [RigDevice, FaultKind][]>()
  for (const device of devices) {
    const { bus } = device.options
    faults.set(bus, [
      ...(faults.get(bus) ?? []),
      ...faultsFor(device).map((kind): [RigDevice, FaultKind] => [device, kind]),
    ])
  }
  return faults
}

/** Faults of different buses happen at the same time, those of one bus one after another. */
export async function runLanes(
  faults: ReadonlyMap<string, readonly [RigDevice, FaultKind][]>,
  run: (device: RigDevice, kind: FaultKind) => Promise<FaultRecord | undefined>,
): Promise<FaultRecord[]> {
  const lanes = [...faults.values()].map(async (lane) => {
    const records: FaultRecord[] = []
    for (const [device, kind] of lane) {
      const record = await run(device, kind)
      if (record === undefined) break
      records.push(record)
    }
    return records
  })
  return (await Promise.all(lanes)).flat()
}
