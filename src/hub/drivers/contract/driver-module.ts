import type { OptionShape } from './option-fields.js'
import type { PolledDriver } from './polled-driver.js'
import type { SourceDriver } from './source-driver.js'
import type { StreamDriver } from './stream-driver.js'

/**
 * A driver of any kind, when it no longer matters which: the module `driver.js` of its folder, a file or a package exports it as `driver`.
 * `never` in the places where a driver takes its own options: only what made them may hand them in.
 */
// biome-ignore lint/suspicious/noExplicitAny: options, port and calibration are the driver's own; the hub only passes them on
export type AnyDriver = PolledDriver<OptionShape, any, any> | StreamDriver<OptionShape> | SourceDriver<any>
export type AnyPolledDriver = Extract<AnyDriver, { kind: 'polled' }>
export type AnyStreamDriver = Extract<AnyDriver, { kind: 'stream' }>

export interface DriverModule {
  readonly driver: AnyDriver
}
