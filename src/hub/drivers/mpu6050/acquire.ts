import type { DriverTools } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'
import { deadBus, hexByte } from '../registers/dead-bus.js'
import { HEADER_BYTES, packHeader } from './frames.js'
import { configBytes, filterCode, longestEveryMs, type Mpu6050Options } from './mpu6050-options.js'
import {
  AWAKE,
  CHIPS,
  DEVICE_RESET,
  FIFO_ALL,
  FIFO_ON,
  FIFO_OVERFLOW,
  FIFO_RESET,
  FRAME_BYTES,
  FULL_COUNTS,
  MPU6050_ID,
  REGISTER,
} from './mpu6050-registers.js'

/** A reset takes up to 100 ms, and so much until the temperature and the gyroscope are right (Linux waits the same). */
const RESET_MS = 100
const WAKE_MS = 100

/** @returns one byte: what the chip says it is, which decides how temperature is counted */
export async function initialise(port: I2cPort, options: Mpu6050Options, tools: DriverTools): Promise<Uint8Array> {
  const [id] = await port.writeRead(Uint8Array.of(REGISTER.whoAmI), 1)
  refuseOthers(id, options, tools)
  await write(port, REGISTER.power, DEVICE_RESET)
  await tools.pause(RESET_MS)
  await write(port, REGISTER.power, AWAKE)
  await tools.pause(WAKE_MS)
  await write(port, REGISTER.divider, ...configBytes(options))
  if (id !== MPU6050_ID) await write(port, REGISTER.accelConfig2, filterCode(options))
  if (options.mode === 'fifo') {
    await write(port, REGISTER.fifoEnable, FIFO_ALL)
    await write(port, REGISTER.interruptEnable, FIFO_OVERFLOW)
    await restartFifo(port)
  }
  return Uint8Array.of(id)
}

function refuseOthers(id: number, { acceptClone }: Mpu6050Options, tools: DriverTools): void {
  if (id === MPU6050_ID) return
  const what = `Register 0x75 reads ${hexByte(id)}, not ${hexByte(MPU6050_ID)}`
  if (id === 0x00 || id === 0xff) throw tools.fault('identity', `${what}: nothing answers, check the wiring.`)
  const chip = CHIPS[id]
  if (!chip) throw tools.fault('identity', `${what}: it is a chip that this driver does not know, check the address.`)
  if (acceptClone) return
  throw tools.fault('identity', `${what}: it answers as an ${chip.name}, set accept_clone: true to measure with it.`)
}

/**
 * The header of `frames.ts` and whole frames, oldest first. Single mode: one frame, what the data registers hold.
 *
 * @throws `overflow` the FIFO ran over: it was emptied and goes on, so the next acquisition has whole frames again;
 *   `setup` the chip sleeps or its FIFO is off: it was reset
 */
export async function acquire(port: I2cPort, options: Mpu6050Options, tools: DriverTools): Promise<Uint8Array> {
  await refuseReset(port, options, tools)
  if (options.mode === 'single') {
    const frame = await port.writeRead(Uint8Array.of(REGISTER.data), FRAME_BYTES)
    return Uint8Array.of(...packHeader({ sinceCountUs: 0, leftFrames: 0 }), ...frame)
  }
  const [high, low] = await port.writeRead(Uint8Array.of(REGISTER.fifoCount), 2)
  const countedAtMs = performance.now()
  const count = (high << 8) | low
  const whole = Math.floor(count / FRAME_BYTES)
  const taken = Math.min(whole, options.framesPerRead)
  const isFull = FULL_COUNTS.includes(count)
  const frames = taken === 0 || isFull ? new Uint8Array(0) : await readFrames(port, taken)
  // Read last: what overflowed while the frames were read has shifted them too.
  const [status] = await port.writeRead(Uint8Array.of(REGISTER.interruptStatus), 1)
  if (isFull || (status & FIFO_OVERFLOW) !== 0) {
    await restartFifo(port)
    const cure = `read it at least every ${longestEveryMs(options)} ms or lower rate_hz`
    throw tools.fault('overflow', `The FIFO ran over, its samples are lost and it was started anew; ${cure}.`)
  }
  if (taken === 0) return new Uint8Array(0)
  const raw = new Uint8Array(HEADER_BYTES + frames.length)
  const sinceCountUs = Math.round((performance.now() - countedAtMs) * 1000)
  raw.set(packHeader({ sinceCountUs, leftFrames: whole - taken }))
  raw.set(frames, HEADER_BYTES)
  return raw
}

function readFrames(port: I2cPort, frames: number): Promise<Uint8Array> {
  return port.writeRead(Uint8Array.of(REGISTER.fifoData), frames * FRAME_BYTES)
}

/** After a reset the chip sleeps and its FIFO is off; it would give the same values, or none, for ever. */
async function refuseReset(port: I2cPort, { mode }: Mpu6050Options, tools: DriverTools): Promise<void> {
  const control = await port.writeRead(Uint8Array.of(REGISTER.userControl), 2)
  const dead = control[1] === 0xff ? deadBus(control) : undefined
  if (dead) throw tools.fault('io', `The chip does not answer, ${dead}; check its wiring and supply.`)
  const isFifoOff = mode === 'fifo' && (control[0] & FIFO_ON) === 0
  if (control[1] === AWAKE && !isFifoOff) return
  const what = `The chip was reset, registers 0x6A and 0x6B read ${hexByte(control[0])} ${hexByte(control[1])}`
  throw tools.fault('setup', `${what}; it must be set up again, check its supply if this comes back.`)
}

/** The FIFO is only emptied while it is off (register map, section 4.27). */
async function restartFifo(port: I2cPort): Promise<void> {
  await write(port, REGISTER.userControl, 0)
  await write(port, REGISTER.userControl, FIFO_RESET)
  await write(port, REGISTER.userControl, FIFO_ON)
}

/** Registers count up. */
function write(port: I2cPort, register: number, ...values: number[]): Promise<void> {
  return port.write(Uint8Array.of(register, ...values))
}
