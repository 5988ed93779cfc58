/**
 * What a driver sees of its bus: one device on it. Every call is one transaction; others may have the bus between two.
 * All calls throw `TLM_READ_FAILED` with the kind of fault, and end within the device's `timeout` from the moment that it
 * has the bus; a device in trouble may wait long for that.
 * Thread: the hub's main thread; no call blocks it.
 */

/** One address of an I2C bus. */
export interface I2cPort {
  readonly kind: 'i2c'
  /** 7 bits. */
  readonly address: number
  readonly clockHz: number
  write(bytes: Uint8Array): Promise<void>
  /** Exactly `count` bytes, at most 4096. */
  read(count: number): Promise<Uint8Array>
  /** Writes, then reads after a repeated start, in one transaction. */
  writeRead(bytes: Uint8Array, count: number): Promise<Uint8Array>
}

/** One chip select of an SPI bus. */
export interface SpiPort {
  readonly kind: 'spi'
  readonly clockHz: number
  /**
   * Sends each frame and returns the bytes that came back meanwhile, as many. Chip select rises between two frames; all
   * are one transaction. At most 4096 bytes a frame.
   */
  transfer(frames: readonly Uint8Array[]): Promise<Uint8Array[]>
}

/**
 * How long an answer is, from what has come of it: the whole length in bytes, `undefined` while that is not known yet.
 * May be called after every byte.
 */
export type AnswerLength = (soFar: Uint8Array) => number | undefined

/** A serial line, or a TCP connection, with a device that answers. */
export interface LinePort {
  readonly kind: 'serial' | 'tcp'
  /** Bits per second; `undefined` over TCP. */
  readonly baudRate: number | undefined
  /** Bits that one byte takes on the wire, start, parity and stop among them; 8 over TCP. */
  readonly bitsPerByte: number
  /** Sends, and expects no answer. */
  write(bytes: Uint8Array): Promise<void>
  /**
   * Throws away what came before, sends, and waits for one answer.
   *
   * @returns the answer, of exactly the length that `length` told; throws `timeout` (nothing came) or `short`
   */
  exchange(request: Uint8Array, length: AnswerLength): Promise<Uint8Array>
}

/** Files of the kernel, below a folder such as `/sys/bus/iio/devices`. Paths are relative to it and stay below it. */
export interface FilePort {
  readonly kind: 'file'
  readonly root: string
  /** The text of a file, at most 4096 bytes. */
  read(path: string): Promise<string>
  write(path: string, text: string): Promise<void>
  /** Names in a folder, sorted; empty when it is not there. */
  list(path: string): Promise<string[]>
}

export type Port = I2cPort | SpiPort | LinePort | FilePort
