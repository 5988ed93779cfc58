import type { InputKind } from '../kernel/inputs.js'

/**
 * Kinds of channels and their units, see the kernel's Documentation/ABI/testing/sysfs-bus-iio: `in_<kind>[N][_modifier]_raw`,
 * with (raw + offset) × scale, or `_input` with the value, in the unit that stands there.
 */
export const IIO_KINDS: Readonly<Record<string, InputKind>> = {
  /** Milli degrees Celsius. */
  temp: { quantity: 'temperature', unit: 'Cel', factor: 1e-3 },
  /** Kilopascal. */
  pressure: { quantity: 'pressure', unit: 'Pa', factor: 1e3 },
  /** Milli percent. */
  humidityrelative: { quantity: 'relative_humidity', unit: '%', factor: 1e-3 },
  /** Millivolts. */
  voltage: { quantity: 'voltage', unit: 'V', factor: 1e-3 },
  altvoltage: { quantity: 'voltage', unit: 'V', factor: 1e-3 },
  /** Milliamperes. */
  current: { quantity: 'current', unit: 'A', factor: 1e-3 },
  /** Milliwatts. */
  power: { quantity: 'power', unit: 'W', factor: 1e-3 },
  /** Ohms. */
  resistance: { quantity: 'resistance', unit: 'Ohm', factor: 1 },
  accel: { quantity: 'acceleration', unit: 'm/s2', factor: 1 },
  anglvel: { quantity: 'angular_velocity', unit: 'rad/s', factor: 1 },
  /** Gauss. */
  magn: { quantity: 'magnetic_field', unit: 'T', factor: 1e-4 },
  illuminance: { quantity: 'illuminance', unit: 'lx', factor: 1 },
  intensity: { quantity: 'light_intensity', unit: '', factor: 1 },
  proximity: { quantity: 'proximity', unit: '', factor: 1 },
  /** Percent by volume. */
  concentration: { quantity: 'concentration', unit: '%', factor: 1 },
  /** Meters. */
  distance: { quantity: 'distance', unit: 'm', factor: 1 },
}
