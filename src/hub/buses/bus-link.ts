import type { AnswerLength } from '../drivers/contract/ports.js'

/**
 * An open bus: the kernel's or a socket's, for all devices on it. The arbiter sees to it that one call is under way at
 * a time. All calls throw `TLM_READ_FAILED` with the kind of fault.
 */
interface OpenBus {
  /** The bus itself is gone (unplugged, connection closed): it must be opened anew. */
  readonly isLost: boolean
  /**
   * Calls end within the time they are given. `false`: the kernel cannot be told to stop, so who has waited long enough
   * goes on, and the bus stays taken until the call has ended.
   */
  readonly endsInTime: boolean
  /** Safe to repeat. */
  close(): Promise<void>
}

export interface I2cLink extends OpenBus {
  readonly kind: 'i2c'
  write(address: number, bytes: Uint8Array): Promise<void>
  read(address: number, count: number): Promise<Uint8Array>
  writeRead(address: number, bytes: Uint8Array, count: number): Promise<Uint8Array>
}

export interface SpiLink extends OpenBus {
  readonly kind: 'spi'
  transfer(frames: readonly Uint8Array[], clockHz: number): Promise<Uint8Array[]>
}

export interface LineLink extends OpenBus {
  readonly kind: 'serial' | 'tcp'
  readonly baudRate: number | undefined
  readonly bitsPerByte: number
  write(bytes: Uint8Array, timeoutMs: number): Promise<void>
  exchange(request: Uint8Array, length: AnswerLength, timeoutMs: number): Promise<Uint8Array>
  /**
   * What has come, at least one byte; not together with {@link exchange}.
   *
   * @returns how many bytes were put into `into`; `undefined`: closed here meanwhile
   */
  read(into: Buffer): Promise<number | undefined>
}

export interface FileLink extends OpenBus {
  readonly kind: 'file'
  read(path: string): Promise<string>
  write(path: string, text: string): Promise<void>
  list(path: string): Promise<string[]>
}

export type BusLink = I2cLink | SpiLink | LineLink | FileLink
