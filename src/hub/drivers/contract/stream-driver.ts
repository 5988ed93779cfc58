import type { Decoded, Note } from './decoded.js'
import type { Channel, DriverManifest } from './manifest.js'
import type { OptionFields, OptionShape, OptionsOf } from './option-fields.js'
import type { VirtualDevice } from './virtual-device.js'

/** Cuts the bytes of a line into frames. */
export interface Framer {
  /** Takes bytes as they come; may be cut anywhere. They are only valid during the call. */
  push(bytes: Uint8Array): void
  /** The next whole frame (valid until the next `push`), or `undefined`. */
  next(): Uint8Array | undefined
  /** Bytes thrown away since the last call, as they belong to no frame. */
  takeSkipped(): number
}

/** What frames mean; made anew for every connection, as it may remember earlier frames of it (an epoch of NMEA). */
export interface FrameDecoder {
  /** Never throws. `ageUs` counts from the arrival of the frame. */
  decode(frame: Uint8Array, note?: Note): Decoded
}

/** A device on a serial line or TCP connection that talks by itself. */
export interface StreamDriver<Shape extends OptionShape> {
  readonly kind: 'stream'
  readonly manifest: DriverManifest
  readonly options?: (field: OptionFields) => Shape
  channels(options: OptionsOf<Shape>): readonly Channel[]
  /** No frame for so long: the device is lost. Milliseconds. */
  silenceMs(options: OptionsOf<Shape>): number
  framer(options: OptionsOf<Shape>): Framer
  decoder(options: OptionsOf<Shape>): FrameDecoder
  /** Sent after opening, in this order. */
  startCommands?(options: OptionsOf<Shape>): readonly Uint8Array[]
  /** Sent when measuring is stopped. */
  stopCommands?(options: OptionsOf<Shape>): readonly Uint8Array[]
  emulate(options: OptionsOf<Shape>): VirtualDevice
}

/** Gives the parts of a stream driver their types; does nothing else. */
export function streamDriver<const Shape extends OptionShape>(driver: StreamDriver<Shape>): StreamDriver<Shape> {
  return driver
}
