import type { SimProfile } from './waveform.js'

/** What goes wrong on purpose. Every reading lost this way is counted at the sink by its reason. */
export interface SimFaults {
  /**
   * The original's modes: `random-sensor-errors` loses readings as `sensor_error`, `communication-failure` as
   * `bus_timeout`, `both` either way, each with `errorProbability`.
   */
  mode: 'none' | 'random-sensor-errors' | 'communication-failure' | 'both'
  /** Per reading, 0..1. */
  errorProbability: number
  /** So many lost readings in a row fail the device for good (latched until reset); 0 never does. */
  maxConsecutiveErrors: number
  /** After so many readings the device fails for good, as the original's `fault_after_samples`; 0 never does. */
  afterReadings: number
  /** Per value: adds `spikeSize`, up or down. */
  spikeProbability: number
  /** In the channel's unit. */
  spikeSize: number
  /** Per reading: repeats its values for `stuckReadings`, as a frozen sensor does. */
  stuckProbability: number
  stuckReadings: number
  /** Per reading: gives nothing for `dropoutReadings` (`dropout`). */
  dropoutProbability: number
  dropoutReadings: number
}

/** A device that exists only here: seeded, with a wave, noise and faults. */
export interface SimOptions {
  profile: SimProfile
  /** The same seed and start time give the same values. Integer. */
  seed: number
  /** Time between readings, 0.0001..3 600 000; ignored when `samplesPerSecond` is given. */
  intervalMs: number
  /** Values per second over all channels, up to 10 000 000. */
  samplesPerSecond?: number
  /** Series of this device, 1..4096; each reading has one value of each. */
  channels: number
  /** Ends after so many readings; absent: goes on until stopped. */
  readings?: number
  faults: SimFaults
}

export const SIM_FAULT_DEFAULTS: Readonly<SimFaults> = {
  mode: 'none',
  errorProbability: 0.1,
  maxConsecutiveErrors: 5,
  afterReadings: 0,
  spikeProbability: 0,
  spikeSize: 10,
  stuckProbability: 0,
  stuckReadings: 20,
  dropoutProbability: 0,
  dropoutReadings: 20,
}

/** Filled in for whatever a configuration leaves out. */
export const SIM_DEFAULTS: Readonly<SimOptions> = {
  profile: 'original',
  seed: 1,
  intervalMs: 100,
  channels: 1,
  faults: SIM_FAULT_DEFAULTS,
}
