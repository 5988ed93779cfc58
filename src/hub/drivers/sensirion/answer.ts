import { faultOf } from '../contract/fault.js'
import type { DriverTools } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'

/** How often a chip that still measures is asked again, once each millisecond. */
const EXTRA_ASKS = 3

/** Reads; `undefined` when the chip does not acknowledge its address, by which it says that it has nothing yet. */
export async function readIfReady(port: I2cPort, count: number): Promise<Uint8Array | undefined> {
  try {
    return await port.read(count)
  } catch (error) {
    if (faultOf(error) === 'nack') return undefined
    throw error
  }
}

/** Waits for a measurement that was started and reads it. @throws `timeout` */
export async function readMeasured(port: I2cPort, measureMs: number, count: number, tools: DriverTools) {
  await tools.pause(Math.ceil(measureMs))
  for (let ask = 0; ask <= EXTRA_ASKS; ask++) {
    const bytes = await readIfReady(port, count)
    if (bytes) return bytes
    await tools.pause(1)
  }
  throw tools.fault('timeout', 'The chip took the command but gives no measurement; check its supply.')
}
