import { QUALITY } from '#core/model/quality'
import type { Decoded, Note } from '../contract/decoded.js'
import type { FrameDecoder } from '../contract/stream-driver.js'
import { checksumFits, FRAME_BYTES, READING } from './frame.js'

export interface DustOptions {
  /** Two bytes as four hexadecimal digits. */
  readonly deviceId?: string
  /** So many first readings of a connection are `warming`: the fan has to bring new air. */
  readonly warmUpReadings: number
}

export class DustDecoder implements FrameDecoder {
  readonly #options: DustOptions
  #readings = 0

  constructor(options: DustOptions) {
    this.#options = options
  }

  decode(frame: Uint8Array, note?: Note): Decoded {
    if (frame.length !== FRAME_BYTES) {
      return {
        fault: 'short',
        message: `A frame has ${FRAME_BYTES} bytes, not ${frame.length}: look at the recording.`,
      }
    }
    if (!checksumFits(frame)) return { fault: 'crc', message: 'A checksum does not fit: check cable and supply.' }
    // Answers to the commands of the start.
    if (frame[1] !== READING) return []
    const { deviceId, warmUpReadings } = this.#options
    const id = Buffer.from(frame.subarray(6, 8)).toString('hex').toUpperCase()
    if (deviceId !== undefined && deviceId.toUpperCase() !== id) {
      const message = `Sensor ${id} is on the line, not ${deviceId.toUpperCase()}: look at the port, or correct device_id.`
      return { fault: 'wrong_source', message }
    }
    const values = [(frame[3] * 256 + frame[2]) / 10, (frame[5] * 256 + frame[4]) / 10]
    note?.('pm2_5', values[0], `(${frame[3]} x 256 + ${frame[2]}) / 10`)
    note?.('pm10', values[1], `(${frame[5]} x 256 + ${frame[4]}) / 10`)
    const trust = this.#readings++ < warmUpReadings ? QUALITY.warming : QUALITY.good
    return [{ ageUs: 0, values, quality: [trust, trust] }]
  }
}
