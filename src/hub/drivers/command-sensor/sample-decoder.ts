import type { Decoded, Note } from '../contract/decoded.js'
import type { FrameDecoder } from '../contract/stream-driver.js'
import { parseDecimal } from '../text/decimal.js'
import { isGarbled } from '../text/garbled.js'

const SAMPLE = /^SAMPLE: (\S{1,64}), Seq=(\d{1,10})$/
const STATUS = /^STATUS: (Idle|Measuring|Error|SafeState), Seq=\d{1,10}$/

/** Lines of the device: samples are readings, refusals and a latched state faults, all else nothing. */
export class SampleDecoder implements FrameDecoder {
  readonly #hasSequence: boolean
  #isFirst = true

  /** @param hasSequence the number of the sample is a channel too */
  constructor(hasSequence: boolean) {
    this.#hasSequence = hasSequence
  }

  decode(frame: Uint8Array, note?: Note): Decoded {
    const wasFirst = this.#isFirst
    this.#isFirst = false
    const line = Buffer.from(frame).toString('latin1').trim()
    const sample = SAMPLE.exec(line)
    const value = sample === null ? undefined : parseDecimal(sample[1])
    if (sample !== null && value !== undefined) {
      note?.('value', value, sample[1])
      return [{ ageUs: 0, values: this.#hasSequence ? [value, Number(sample[2])] : [value] }]
    }
    if (line === '' || line.startsWith('OK: ')) return []
    if (line.startsWith('ERROR: ')) {
      const message = `The device refused a command: "${shown(line)}". Correct the options, or set reset_on_start.`
      return { fault: 'exception', message }
    }
    const status = STATUS.exec(line)?.[1]
    if (status === 'SafeState' || status === 'Error') {
      return {
        fault: 'exception',
        message: `The device latched ${status}: look at it, then send RESET (reset_on_start).`,
      }
    }
    // The hub may have come in the middle of a line.
    if (status !== undefined || wasFirst) return []
    if (isGarbled(frame)) {
      return { fault: 'decode', message: 'These bytes are no text: it looks like a wrong baud rate.' }
    }
    return { fault: 'decode', message: `The device never says "${shown(line)}": look at the port.` }
  }
}

function shown(line: string): string {
  return line.slice(0, 80).replace(/[^ -~]/g, '.')
}
