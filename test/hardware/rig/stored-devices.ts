import { QUALITY } from '#core/model/quality'
import { streamLocator } from '#src/host/stream-locator'
import { readBack } from '#test/support/read-back'
import type { RigDevice } from './rig-device.js'

/** A good value that its device cannot have said. */
export interface StrayValue {
  readonly device: string
  readonly channel: string
  readonly value: number
}

export interface StoredDevices {
  readonly samples: number
  readonly strays: readonly StrayValue[]
  /** Wall time of the newest good value, microseconds, by device. */
  readonly newestUs: ReadonlyMap<string, number>
}

/** Reads the embedded store of a hub that has ended. */
export async function examineStore(directory: string, devices: readonly RigDevice[]): Promise<StoredDevices> {
  const known = new Map(devices.map((device) => [device.name, device]))
  const strays: StrayValue[] = []
  const newestUs = new Map<string, number>()
  const locator = streamLocator({ kind: 'embedded', directory, shards: 8 })
  const { samples } = await readBack(locator, ({ count, series, seriesIndex, values, qualities, takenAtUs }) => {
    for (let row = 0; row < count; row++) {
      if (qualities[row] !== QUALITY.good) continue
      const { device, channel } = series[seriesIndex[row]!]!
      const value = values[row]!
      newestUs.set(device, Math.max(newestUs.get(device) ?? 0, takenAtUs[row]!))
      if (known.get(device)?.couldSay(channel, value) === false) strays.push({ device, channel, value })
    }
  })
  return { samples, strays, newestUs }
}
