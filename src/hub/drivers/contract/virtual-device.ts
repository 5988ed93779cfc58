/** Virtual chips: what stands on the other side of the bus. They answer as the datasheet says, byte for byte. */

interface VirtualChannels {
  /**
   * Sets what the sensor senses from now on, in the channel's unit; the chip rounds it to its resolution.
   *
   * @throws RangeError there is no such channel
   */
  set(channel: string, value: number): void
  /** As after power was cut and came back: registers reset, configuration lost. */
  powerCycle(): void
}

export interface VirtualI2cDevice extends VirtualChannels {
  readonly bus: 'i2c'
  /** Bytes of one write. @returns how many were acknowledged; fewer than given: NACK at that byte */
  write(bytes: Uint8Array): number
  /** Bytes of one read, or `undefined`: the address was not acknowledged. */
  read(count: number): Uint8Array | undefined
}

export interface VirtualSpiDevice extends VirtualChannels {
  readonly bus: 'spi'
  /** One frame, chip select low from its first to its last bit. @returns as many bytes */
  transfer(frame: Uint8Array): Uint8Array
}

/** On a serial line or a TCP connection. */
export interface VirtualLineDevice extends VirtualChannels {
  readonly bus: 'line'
  /**
   * Connects it: it may talk by itself from now on.
   *
   * @param send gives bytes to the host
   * @param every calls back each `ms`; returns what ends that
   */
  connect(send: (bytes: Uint8Array) => void, every: (ms: number, act: () => void) => () => void): void
  /** Bytes from the host, cut anywhere. */
  receive(bytes: Uint8Array): void
  disconnect(): void
}

/** Files as the kernel shows them. */
export interface VirtualFileDevice extends VirtualChannels {
  readonly bus: 'file'
  /** Text by path, relative to the port's root; read anew each time. */
  files(): Readonly<Record<string, string>>
  /** A file was written. */
  write(path: string, text: string): void
}

/** A chip that has both interfaces is two devices here, one for each way it is wired. */
export type VirtualDevice = VirtualI2cDevice | VirtualSpiDevice | VirtualLineDevice | VirtualFileDevice
