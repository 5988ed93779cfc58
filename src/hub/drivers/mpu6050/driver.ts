import { type AcquisitionCost, polledDriver } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'
import { acquire, initialise } from './acquire.js'
import { channelsOf, chipOf, decode } from './decode.js'
import { type Mpu6050Options, mpu6050Shape, periodMs } from './mpu6050-options.js'
import { FRAME_BYTES } from './mpu6050-registers.js'
import { VirtualMpu6050 } from './virtual-mpu6050.js'

/** Address, register, address again. */
const READ_HEAD_BYTES = 3

function cost({ mode, framesPerRead }: Mpu6050Options): AcquisitionCost {
  const control = { bytes: READ_HEAD_BYTES + 2 }
  const count = { bytes: READ_HEAD_BYTES + 2 }
  const status = { bytes: READ_HEAD_BYTES + 1 }
  const frames = (number: number) => ({ bytes: READ_HEAD_BYTES + FRAME_BYTES * number })
  const transactions = mode === 'single' ? [control, frames(1)] : [control, count, frames(framesPerRead), status]
  return { transactions, conversionMs: 0 }
}

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'mpu6050',
    summary: 'acceleration and angular velocity, up to 1000 samples a second: InvenSense MPU-6050',
    source: 'InvenSense RM-MPU-6000A revision 4.2 (registers) and PS-MPU-6000A revision 3.4',
    buses: ['i2c'],
    addresses: [0x68, 0x69],
    maxClockHz: 400_000,
    probe: { rule: 'register 0x75 reads 0x68', isCertain: true },
  },
  options: mpu6050Shape,
  channels: channelsOf,
  cost,
  shortestEveryMs: periodMs,
  async probe(port: I2cPort) {
    const [id] = await port.writeRead(Uint8Array.of(0x75), 1)
    return id === 0x68 ? { isCertain: true, seen: 'register 0x75 reads 0x68' } : undefined
  },
  initialise: (port: I2cPort, options, tools) => initialise(port, options, tools),
  acquire: (port: I2cPort, options, tools) => acquire(port, options, tools),
  calibration: (bytes, _options, fault) => chipOf(bytes, fault),
  decode,
  emulate: (options) => new VirtualMpu6050(options),
})
