/** The arithmetic of a driver, step by step. */
import type { DeviceConfig } from '../../hub/config/driver-schemas.js'
import type { Acquisition } from '../../hub/devices/observation.js'
import type { Decoded } from '../../hub/drivers/contract/decoded.js'
import { readFault } from '../../hub/drivers/contract/fault.js'
import type { FrameDecoder } from '../../hub/drivers/contract/stream-driver.js'

/** One thing that a driver noted while it decoded. */
export interface Step {
  readonly name: string
  readonly value: number | string
  readonly formula?: string
}

/**
 * Decodes acquisitions of one device once more, with their steps. Drivers keep nothing between calls, and the decoder of
 * a line is given all its frames, so the steps are those of the values read.
 */
export function explainer(config: DeviceConfig): (acquisition: Pick<Acquisition, 'raw' | 'setup'>) => readonly Step[] {
  const decode = redecoder(config)
  return ({ raw, setup }) => {
    const steps: Step[] = []
    decode(raw, setup, (name, value, formula) => {
      steps.push({ name, value, ...(formula === undefined ? {} : { formula }) })
    })
    return steps
  }
}

/**
 * Decodes bytes of one device with its driver as it is now.
 *
 * @returns may throw TLM_READ_FAILED `setup` when the calibration bytes cannot be
 */
export function redecoder({ driver, options }: DeviceConfig) {
  let frames: FrameDecoder | undefined
  return (
    raw: Uint8Array,
    setup: Uint8Array,
    note?: (name: string, value: number | string, formula?: string) => void,
  ) => {
    if (raw.length === 0 || driver.kind === 'source') return []
    if (driver.kind === 'polled') {
      return driver.decode(raw, driver.calibration(setup, options, readFault), options, note) as Decoded
    }
    frames ??= driver.decoder(options)
    return frames.decode(raw, note)
  }
}
