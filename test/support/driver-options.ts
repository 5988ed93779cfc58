import { z } from 'zod'
import { camelKeys } from '#core/options/camel-keys'
import { readFault } from '#src/hub/drivers/contract/fault'
import { OPTION_FIELDS, type OptionShape, type OptionsOf } from '#src/hub/drivers/contract/option-fields'
import type { DriverTools } from '#src/hub/drivers/contract/polled-driver'

interface WithOptions<Shape extends OptionShape> {
  options?: (field: typeof OPTION_FIELDS) => Shape
}

/** A driver's options out of what a file would say, checked and with their defaults. @throws z.ZodError */
export function optionsOf<Shape extends OptionShape>(driver: WithOptions<Shape>, raw: object = {}): OptionsOf<Shape> {
  const parsed = z.strictObject(driver.options?.(OPTION_FIELDS) ?? {}).parse(raw)
  const given = Object.entries(parsed).filter(([, value]) => value !== undefined)
  return camelKeys(Object.fromEntries(given)) as OptionsOf<Shape>
}

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
