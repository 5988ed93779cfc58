import type { Driver, DriverContext } from '../driver.js'
import type { DriverManifest } from './manifest.js'
import type { OptionFields, OptionShape, OptionsOf } from './option-fields.js'

/** A driver that runs by itself and knows its channels only when it sees them, e.g. lines of free text. */
export interface SourceDriver<Shape extends OptionShape> {
  readonly kind: 'source'
  readonly manifest: DriverManifest
  readonly options: (field: OptionFields) => Shape
  /** @throws TLM_OPTIONS_INVALID */
  create(options: OptionsOf<Shape>, context: DriverContext): Driver
}

/** Gives the parts of a source driver their types; does nothing else. */
export function sourceDriver<const Shape extends OptionShape>(driver: SourceDriver<Shape>): SourceDriver<Shape> {
  return driver
}
