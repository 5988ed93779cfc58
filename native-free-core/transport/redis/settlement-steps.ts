import type { DeadLetterOrder, RetryOrder, Settlement } from '../batch-stream.js'
import { deadLettersByEntry } from '../dead-letter-orders.js'
import type { UnsettledEntry } from './carried-entries.js'

/**
 * What one call of the settle script may take, so that Redis serves others in between: some 2 ms. The costs are those of
 * the script, in microseconds; a burial's has the letter that it may push out.
 */
const MAX_COST_US = 2000
const COST_US = { ack: 5, retry: 20, burial: 50, kilobyte: 1.5 }

interface Step {
  ack: string[]
  retry: RetryOrder[]
  deadLetter: DeadLetterOrder[]
}

/**
 * A settlement as several, to be made one after the other. What saves state stays one: its rows and the acknowledgements
 * of what is part of them belong together. Without state, entries have nothing to do with each other: whatever ends
 * between two steps, each entry is either still leased or settled as it should be. The parts of an entry stay together.
 */
export function settlementSteps(
  settlement: Settlement,
  unsettled: ReadonlyMap<string, Pick<UnsettledEntry, 'bytes'>>,
): Settlement[] {
  const { ack, retry, deadLetter, state } = settlement
  if (state.size > 0) return [settlement]
  const steps: Step[] = [{ ack: [], retry: [], deadLetter: [] }]
  let costUs = 0
  const stepFor = (moreUs: number) => {
    if (costUs > 0 && costUs + moreUs > MAX_COST_US) {
      steps.push({ ack: [], retry: [], deadLetter: [] })
      costUs = 0
    }
    costUs += moreUs
    return steps[steps.length - 1]
  }
  const bytesUs = (bytes: number) => (bytes / 1024) * COST_US.kilobyte

  for (const id of ack) stepFor(COST_US.ack).ack.push(id)
  for (const order of retry) {
    stepFor(COST_US.retry + bytesUs(unsettled.get(order.id)?.bytes ?? 0)).retry.push(order)
  }
  for (const [id, orders] of deadLettersByEntry(deadLetter)) {
    const { bytes = 0 } = unsettled.get(id) ?? {}
    const bodies = orders.reduce((sum, { part }) => sum + (part === undefined ? bytes : part.body.byteLength), bytes)
    stepFor(orders.length * COST_US.burial + bytesUs(bodies)).deadLetter.push(...orders)
  }
  return steps.map((step) => ({ ...step, state }))
}
