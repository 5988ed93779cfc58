import type { VirtualI2cDevice, VirtualSpiDevice } from '#src/hub/drivers/contract/virtual-device'

/**
 * A virtual chip whose answers are changed on their way.
 *
 * @param spoil gets what was written last and the answer, which it may change; returns what arrives
 */
export function spoiltI2c(
  device: VirtualI2cDevice,
  spoil: (written: Uint8Array, answer: Uint8Array | undefined) => Uint8Array | undefined,
): VirtualI2cDevice {
  let written = new Uint8Array(0)
  return {
    bus: 'i2c',
    set: (channel, value) => device.set(channel, value),
    powerCycle: () => device.powerCycle(),
    write: (bytes) => {
      written = bytes.slice()
      return device.write(bytes)
    },
    read: (count) => spoil(written, device.read(count)),
  }
}

/** The same for a chip on SPI: `spoil` gets each frame and its answer. */
export function spoiltSpi(
  device: VirtualSpiDevice,
  spoil: (frame: Uint8Array, answer: Uint8Array) => Uint8Array,
): VirtualSpiDevice {
  return {
    bus: 'spi',
    set: (channel, value) => device.set(channel, value),
    powerCycle: () => device.powerCycle(),
    transfer: (frame) => spoil(frame, device.transfer(frame)),
  }
}
