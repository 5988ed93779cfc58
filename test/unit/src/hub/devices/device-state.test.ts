import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEVICE_EVENTS, DEVICE_STATES, type DeviceState, nextState } from '#src/hub/devices/device-state'

/** In the order of DEVICE_EVENTS: start, stop, reset, ended, failed, recovered, latched. */
const EXPECTED: Record<DeviceState, (DeviceState | undefined)[]> = {
  Idle: ['Measuring', undefined, undefined, undefined, undefined, undefined, undefined],
  Measuring: [undefined, 'Idle', undefined, 'Idle', 'Error', undefined, 'SafeState'],
  Error: [undefined, 'Idle', 'Idle', undefined, 'Error', 'Measuring', 'SafeState'],
  SafeState: [undefined, undefined, 'Idle', undefined, undefined, undefined, undefined],
}

for (const state of DEVICE_STATES) {
  DEVICE_EVENTS.forEach((event, column) => {
    const expected = EXPECTED[state][column]
    test(`${state} answers ${event} with ${expected ?? 'nothing'}`, () => {
      assert.equal(nextState(state, event), expected)
    })
  })
}

test('only reset leads out of SafeState', () => {
  assert.deepEqual(
    DEVICE_EVENTS.filter((event) => nextState('SafeState', event) !== undefined),
    ['reset'],
  )
})
