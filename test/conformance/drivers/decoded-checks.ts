import assert from 'node:assert/strict'
import { QUALITY } from '#core/model/quality'
import { type Decoded, isFault } from '#src/hub/drivers/contract/decoded'
import { FAULT_KINDS } from '#src/hub/drivers/contract/fault'
import type { Channel } from '#src/hub/drivers/contract/manifest'
import type { VirtualDevice } from '#src/hub/drivers/contract/virtual-device'

/** A fault of a known kind with a sentence, or readings of the right form. */
export function checkDecoded(decoded: Decoded, channels: readonly Channel[]): void {
  if (isFault(decoded)) {
    assert.ok(FAULT_KINDS.includes(decoded.fault), decoded.fault)
    assert.match(decoded.message, /^\S.{15,}\.$/s)
    return
  }
  let previousUs = Number.POSITIVE_INFINITY
  for (const { ageUs, values, quality } of decoded) {
    assert.ok(Number.isFinite(ageUs) && ageUs >= 0, `age ${ageUs}`)
    assert.ok(ageUs <= previousUs, 'readings are not oldest first')
    previousUs = ageUs
    assert.equal(values.length, channels.length)
    if (quality) assert.equal(quality.length, channels.length)
    for (let at = 0; at < values.length; at++) {
      assert.ok(Math.abs(values[at]) !== Number.POSITIVE_INFINITY, `${channels[at].name} is infinite`)
    }
  }
}

/** No value is not a number and yet called good. */
export function checkNoSilentNaN(decoded: Decoded, channels: readonly Channel[]): void {
  if (isFault(decoded)) return
  for (const { values, quality } of decoded) {
    for (let at = 0; at < values.length; at++) {
      const isGood = (quality?.[at] ?? QUALITY.good) === QUALITY.good
      assert.ok(!(Number.isNaN(values[at]) && isGood), `${channels[at].name} is NaN and good`)
    }
  }
}

/** A value well inside of what the channel can have; `share` 0..1 of its range. */
export function valueAt(channel: Channel, share: number): number {
  const [min, max] = channel.range ?? [0, 100]
  return min + (max - min) * share
}

/** How far a reading may be from what was set: one step. */
export function toleranceOf({ resolution }: Channel, value: number): number {
  return (resolution ?? Math.abs(value) * 1e-6) + 1e-9
}

export const DEVICE_BUS: Readonly<Record<string, VirtualDevice['bus']>> = {
  i2c: 'i2c',
  spi: 'spi',
  serial: 'line',
  tcp: 'line',
  file: 'file',
}
