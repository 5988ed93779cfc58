import { messageOf } from '#core/errors/telemetry-error'
import type { BusSeat } from '../buses/bus.js'
import type { BusTime } from '../buses/bus-time.js'
import { faultOf } from '../drivers/contract/fault.js'
import type { ReadingFigures } from './reading-figures.js'

/** Opens the bus for a device; a failure counts among the device's readings. @throws what the bus throws */
export async function takeBus({ bus, user }: BusSeat, figures: ReadingFigures, time: BusTime): Promise<void> {
  try {
    await bus.open(user)
  } catch (error) {
    figures.fail({ fault: faultOf(error), message: messageOf(error) }, time.nowUs())
    throw error
  }
}
