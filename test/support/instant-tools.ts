import { readFault } from '#src/hub/drivers/contract/fault'
import type { DriverTools } from '#src/hub/drivers/contract/polled-driver'

/** What the hub lends a driver; pauses take no time and are noted. */
export function instantTools(): DriverTools & { readonly pausesMs: number[] } {
  const pausesMs: number[] = []
  return { pausesMs, pause: async (ms) => void pausesMs.push(ms), fault: readFault }
}

/** For `assert.rejects`: the kind of a fault, and what its message says. */
export function faultLike(fault: string, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    const { details, message } = error as { details?: { fault?: string }; message: string }
    if (details?.fault === fault && text.test(message)) return true
    throw error
  }
}
