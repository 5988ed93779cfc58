import { faultOf } from '../contract/fault.js'
import type { DriverTools } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'
import { readIfReady, readMeasured } from '../sensirion/answer.js'
import { CHECKED_WORD_BYTES, wordsOrThrow } from '../sensirion/checked-words.js'
import { CLIMATE_BYTES } from '../sensirion/climate.js'
import {
  COMMAND,
  COMMAND_MS,
  periodicCommand,
  RESET_DETECTED,
  type Sht3xOptions,
  singleMeasurement,
} from './sht3x-commands.js'

/** Ends what ran, resets, checks that the status tells of the reset and can be cleared; in periodic mode it starts. */
export async function initialise(port: I2cPort, options: Sht3xOptions, tools: DriverTools): Promise<Uint8Array> {
  await endPeriodic(port)
  await tools.pause(COMMAND_MS)
  await send(port, COMMAND.softReset)
  await tools.pause(COMMAND_MS)
  const before = await status(port)
  await send(port, COMMAND.clearStatus)
  await tools.pause(COMMAND_MS)
  const after = await status(port)
  if ((before & RESET_DETECTED) === 0 || (after & RESET_DETECTED) !== 0) {
    throw tools.fault('identity', 'The status does not tell of a reset, so this is no SHT3x; check the address.')
  }
  if (options.mode === 'periodic') await send(port, periodicCommand(options))
  return new Uint8Array(0)
}

/**
 * Single: measures and reads. Periodic: fetches what was measured since the last time; empty when that is nothing.
 *
 * @throws `setup` the chip measures no more, as it was reset; `timeout` it gives no measurement
 */
export async function acquire(port: I2cPort, options: Sht3xOptions, tools: DriverTools): Promise<Uint8Array> {
  if (options.mode === 'single') {
    const { command, ms } = singleMeasurement(options)
    await send(port, command)
    return readMeasured(port, ms, CLIMATE_BYTES, tools)
  }
  await send(port, COMMAND.fetch)
  const bytes = await readIfReady(port, CLIMATE_BYTES)
  if (bytes) return bytes
  // After a reset the chip would have nothing for ever, and say so in the same way.
  if ((await status(port)) & RESET_DETECTED) {
    const message =
      'The chip was reset and measures no more; it must be set up again, check its supply if this comes back.'
    throw tools.fault('setup', message)
  }
  return new Uint8Array(0)
}

/** A chip that measures once does not take the command; one that is not there will not take the next either. */
async function endPeriodic(port: I2cPort): Promise<void> {
  try {
    await send(port, COMMAND.break)
  } catch (error) {
    if (faultOf(error) !== 'nack') throw error
  }
}

async function status(port: I2cPort): Promise<number> {
  await send(port, COMMAND.readStatus)
  const [word] = wordsOrThrow(await port.read(CHECKED_WORD_BYTES), 1)
  return word
}

function send(port: I2cPort, command: number): Promise<void> {
  return port.write(Uint8Array.of(command >> 8, command & 0xff))
}
