/** The last minutes of a hub's devices, in memory, written to a file when somebody asks. */
import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#core/time/clock'
import type { DeviceConfig } from '../config/driver-schemas.js'
import type { Acquisition, HubObserver } from '../devices/observation.js'
import { recordedLine, recordingHeader } from './recording-format.js'

export interface FlightRecorderOptions {
  /** What is older is let go. Milliseconds. */
  readonly keepMs: number
  /** Of memory, about; the oldest goes first. */
  readonly maxBytes: number
  /** Where dumps go. */
  readonly directory: string
}

export interface RecorderDump {
  readonly file: string
  readonly records: number
  readonly bytes: number
}

/** What an acquisition costs besides its bytes and values, about. */
const RECORD_BYTES = 400
const VALUE_BYTES = 16

/**
 * Keeps acquisitions as they are: turned into text only when they are dumped. Thread: the hub's main thread.
 * Cost: a push, and a shift of what is too old.
 */
export class FlightRecorder implements HubObserver {
  readonly #options: FlightRecorderOptions
  readonly #devices: Readonly<Record<string, DeviceConfig>>
  readonly #clock: Clock
  /** Oldest first, from `#first` on; those before are gone. */
  #kept: { acquisition: Acquisition; bytes: number }[] = []
  #first = 0
  #bytes = 0

  constructor(options: FlightRecorderOptions, devices: Readonly<Record<string, DeviceConfig>>, clock: Clock) {
    this.#options = options
    this.#devices = devices
    this.#clock = clock
  }

  get bytes(): number {
    return this.#bytes
  }

  acquisition(acquisition: Acquisition): void {
    const bytes = sizeOf(acquisition)
    this.#kept.push({ acquisition, bytes })
    this.#bytes += bytes
    const oldestUs = this.#clock.nowUs() - this.#options.keepMs * 1000
    while (this.#first < this.#kept.length) {
      const oldest = this.#kept[this.#first]!
      if (this.#bytes <= this.#options.maxBytes && oldest.acquisition.takenAtUs >= oldestUs) break
      this.#bytes -= oldest.bytes
      this.#first++
    }
    if (this.#first > 1024 && this.#first > this.#kept.length / 2) {
      this.#kept = this.#kept.slice(this.#first)
      this.#first = 0
    }
  }

  /**
   * Writes what is kept into a new file; it has its name only when it is whole.
   *
   * @throws the error of the file system
   */
  async dump(): Promise<RecorderDump> {
    const { directory } = this.#options
    const nowUs = this.#clock.nowUs()
    const acquisitions = this.#kept.slice(this.#first).map(({ acquisition }) => acquisition)
    const lines = [JSON.stringify(recordingHeader(this.#devices, nowUs))]
    const setups = new Map<string, Uint8Array>()
    for (const acquisition of acquisitions) {
      const { device, setup } = acquisition
      const before = setups.get(device)
      const isSame = before !== undefined && Buffer.compare(before, setup) === 0
      lines.push(JSON.stringify(recordedLine(acquisition, !isSame)))
      setups.set(device, setup)
    }
    const text = `${lines.join('\n')}\n`
    await mkdir(directory, { recursive: true })
    const stamp = new Date(nowUs / 1000).toISOString().replaceAll(':', '-')
    const file = join(directory, `recording-${stamp}.ndjson`)
    const beside = `${file}.${randomUUID()}.part`
    try {
      await writeFile(beside, text)
      await rename(beside, file)
    } catch (error) {
      await rm(beside, { force: true })
      throw error
    }
    return { file, records: acquisitions.length, bytes: Buffer.byteLength(text) }
  }
}

function sizeOf({ raw, setup, decoded }: Acquisition): number {
  const readings = decoded === undefined || 'fault' in decoded ? [] : decoded
  const values = readings.reduce((sum, reading) => sum + reading.values.length, 0)
  return RECORD_BYTES + raw.length + setup.length + values * VALUE_BYTES
}
