import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AnyPolledDriver, AnyStreamDriver } from '#src/hub/drivers/contract/driver-module'
import { BUS_KINDS, type Channel } from '#src/hub/drivers/contract/manifest'
import { optionsOf } from '#test/support/driver-rig'
import { exampleOptions } from './example-options.js'

/** What a driver says of itself: complete, and of the forms that the hub relies on. */
export function manifestCases(folder: string, driver: AnyPolledDriver | AnyStreamDriver): void {
  const { manifest } = driver

  test('the manifest names the folder, one line of summary, a source and buses', () => {
    assert.equal(manifest.name, folder)
    assert.match(manifest.summary, /^\S[^\n]{10,120}$/)
    assert.match(manifest.source, /^\S[^\n]{5,200}$/)
    assert.ok(manifest.buses.length > 0)
    for (const bus of manifest.buses) assert.ok(BUS_KINDS.includes(bus), bus)
    assert.equal(new Set(manifest.buses).size, manifest.buses.length)
  })

  if (manifest.buses.includes('i2c')) {
    test('addresses are of seven bits, outside of the reserved ones, each once', () => {
      const addresses = manifest.addresses ?? []
      assert.ok(addresses.length > 0)
      for (const address of addresses) assert.ok(Number.isInteger(address) && address >= 0x08 && address <= 0x77)
      assert.equal(new Set(addresses).size, addresses.length)
    })
  }

  if (manifest.buses.some((bus) => bus === 'i2c' || bus === 'spi')) {
    test('a chip on a clocked bus has a highest clock and tells how it is known', () => {
      assert.ok((manifest.maxClockHz ?? 0) >= 10_000)
      assert.match(manifest.probe?.rule ?? '', /^\S.{5,}/)
    })
  }

  for (const [at, written] of exampleOptions(folder).entries()) {
    test(`channels of options ${at} have names, quantities, units, ranges and steps of the right form`, () => {
      const channels = driver.channels(optionsOf(driver, written))
      assert.ok(channels.length > 0)
      for (const channel of channels) checkChannel(channel)
      assert.equal(new Set(channels.map(({ name }) => name)).size, channels.length)
      assert.deepEqual(driver.channels(optionsOf(driver, written)), channels)
    })
  }
}

function checkChannel({ name, quantity, unit, range, resolution, sentinels }: Channel): void {
  assert.match(name, /^[a-z][a-z0-9_]{0,63}$/)
  assert.match(quantity, /^[a-z][a-z0-9_]{0,63}$/, name)
  // UCUM symbols are printable and have no blanks.
  assert.match(unit, /^[!-~]{0,32}$/, name)
  if (range) assert.ok(range[0] < range[1], name)
  if (resolution !== undefined) assert.ok(resolution > 0 && Number.isFinite(resolution), name)
  for (const { value, meaning } of sentinels ?? []) assert.ok(!Number.isNaN(value) && meaning.length > 0, name)
}
