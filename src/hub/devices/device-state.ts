/** The original's four states of a device. `SafeState` is latched: only `reset` leads out. */
export const DEVICE_STATES = ['Idle', 'Measuring', 'Error', 'SafeState'] as const
export type DeviceState = (typeof DEVICE_STATES)[number]

/**
 * `start`, `stop`, `reset` come from an operator; `ended`: the source has no more; `failed`: the bus was lost, a new
 * try follows; `recovered`: that try holds the bus again; `latched`: tries do not help, an operator must look.
 */
export const DEVICE_EVENTS = ['start', 'stop', 'reset', 'ended', 'failed', 'recovered', 'latched'] as const
export type DeviceEvent = (typeof DEVICE_EVENTS)[number]

const TRANSITIONS: Readonly<Record<DeviceState, Partial<Record<DeviceEvent, DeviceState>>>> = {
  Idle: { start: 'Measuring' },
  Measuring: { stop: 'Idle', ended: 'Idle', failed: 'Error', latched: 'SafeState' },
  Error: { stop: 'Idle', reset: 'Idle', failed: 'Error', recovered: 'Measuring', latched: 'SafeState' },
  SafeState: { reset: 'Idle' },
}

/** The state after `event`, or `undefined` when the state ignores it. */
export function nextState(state: DeviceState, event: DeviceEvent): DeviceState | undefined {
  return TRANSITIONS[state][event]
}
