import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { QUALITY } from '#core/model/quality'
import type { ChannelSettings } from '#src/hub/channels/channel-settings'
import { createDeviceChannels } from '#src/hub/channels/device-channels'
import type { DeviceConfig, DeviceSettings } from '#src/hub/config/driver-schemas'
import type { AnyDriver } from '#src/hub/drivers/contract/driver-module'
import type { Channel } from '#src/hub/drivers/contract/manifest'
import { driver as sim } from '#src/hub/drivers/sim/driver'
import { RecordingSink } from '#test/support/recording-sink'

const START_US = Date.UTC(2026, 0) * 1000

/** As far as channels go, a driver that is asked: it says what it measures. */
function measuring(...channels: Channel[]): AnyDriver {
  return { kind: 'polled', channels: () => channels } as unknown as AnyDriver
}

const temperature: Channel = { name: 'temperature', quantity: 'temperature', unit: 'Cel' }

function channelsOf(
  driver: AnyDriver,
  channels?: Record<string, ChannelSettings>,
  device: Partial<DeviceSettings> = {},
) {
  const inner = new RecordingSink()
  const clock = { ms: 0, nowUs: () => START_US + clock.ms * 1000, monotonicMs: () => clock.ms }
  const settings = channels && { channels: new Map(Object.entries(channels)) }
  const config: DeviceConfig = { driver, device: { priority: 'normal', ...device }, options: {}, ...settings }
  return { inner, clock, sink: createDeviceChannels('roof', config, inner, clock) }
}

describe('a device', () => {
  it('has no pipelines when neither it nor its driver says anything of its channels', () => {
    assert.equal(channelsOf(sim).sink, undefined)
    assert.equal(channelsOf(measuring(temperature), undefined, { every: 1000 }).sink, undefined)
  })

  it('has them when its driver declares what its sensor can measure', () => {
    const { sink, inner } = channelsOf(measuring({ ...temperature, range: [-55, 125] }))
    sink!.reading(START_US, [sink!.series('temperature', 'Cel')!], [126])
    assert.equal(inner.readings[0].quality, QUALITY.range)
  })

  it('is told of a channel that it does not have, when its driver knows them', () => {
    assert.throws(
      () => channelsOf(measuring(temperature), { temprature: { deadband: 1 } }),
      /devices\.roof\.channels\.temprature: the device has no such channel\. Did you mean temperature\?/,
    )
    assert.ok(channelsOf(sim, { anything: { deadband: 1 } }).sink)
  })

  it('has channels that are stale after three of its intervals, a second at least', () => {
    for (const [every, staleAfterMs] of [
      [10_000, 30_000],
      [10, 1000],
    ]) {
      const { sink, inner, clock } = channelsOf(sim, { a: { deadband: 1 } }, { every })
      sink!.reading(START_US, [sink!.series('a', '')!], [1])
      clock.ms = staleAfterMs - 1
      sink!.lookForStale()
      assert.equal(inner.readings.length, 1)
      clock.ms = staleAfterMs
      sink!.lookForStale()
      assert.equal(inner.readings[1].quality, QUALITY.stale)
    }
    const { sink, inner, clock } = channelsOf(sim, { a: { deadband: 1 } })
    sink!.reading(START_US, [sink!.series('a', '')!], [1])
    clock.ms = 1e9
    sink!.lookForStale()
    assert.equal(inner.readings.length, 1)
  })
})
