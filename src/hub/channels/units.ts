/**
 * Units that channels convert between, by their UCUM symbols (The Unified Code for Units of Measure, 2.1).
 *
 * Columns of mercury are the conventional ones of NIST SP 811, in which UCUM's differ in the sixth digit.
 *
 * A table of our own: a channel needs one affine step, which is two numbers. `convert-units` and `js-quantities` do not
 * speak UCUM and have had no release for years; `@lhncbc/ucum-lhc` does, with nine packages behind it for two numbers.
 */

type Family =
  | 'temperature'
  | 'pressure'
  | 'voltage'
  | 'current'
  | 'speed'
  | 'ratio'
  | 'length'
  | 'illuminance'
  | 'time'
  | 'acceleration'
  | 'rotation'
  | 'angle'
  | 'power'
  | 'energy'
  | 'resistance'
  | 'frequency'
  | 'mass'

/** `base = value * factor + shift`, with the family's base unit. */
interface Unit {
  readonly family: Family
  readonly factor: number
  readonly shift: number
}

const TABLE: Readonly<Record<Family, Readonly<Record<string, number | readonly [factor: number, shift: number]>>>> = {
  temperature: { Cel: 1, K: [1, -273.15], '[degF]': [5 / 9, -160 / 9] },
  pressure: {
    Pa: 1,
    hPa: 100,
    kPa: 1000,
    MPa: 1e6,
    bar: 1e5,
    mbar: 100,
    '[psi]': 6894.757293168361,
    'mm[Hg]': 133.322387415,
    "[in_i'Hg]": 3386.388640341,
  },
  voltage: { V: 1, mV: 1e-3, uV: 1e-6, kV: 1e3 },
  current: { A: 1, mA: 1e-3, uA: 1e-6, kA: 1e3 },
  speed: { 'm/s': 1, 'km/h': 1 / 3.6, '[kn_i]': 1852 / 3600, '[mi_i]/h': 0.44704, '[ft_i]/s': 0.3048 },
  ratio: { '1': 1, '%': 0.01, '[ppm]': 1e-6, '[ppb]': 1e-9 },
  length: { m: 1, mm: 1e-3, cm: 1e-2, um: 1e-6, km: 1e3, '[ft_i]': 0.3048, '[in_i]': 0.0254, '[mi_i]': 1609.344 },
  illuminance: { lx: 1, klx: 1e3 },
  time: { s: 1, ms: 1e-3, us: 1e-6, min: 60, h: 3600, d: 86_400 },
  acceleration: { 'm/s2': 1, '[g]': 9.80665, 'm[g]': 9.80665e-3, Gal: 0.01 },
  rotation: { 'rad/s': 1, 'deg/s': Math.PI / 180, '{rpm}': Math.PI / 30 },
  angle: { rad: 1, deg: Math.PI / 180 },
  power: { W: 1, mW: 1e-3, kW: 1e3 },
  energy: { J: 1, kJ: 1e3, 'W.h': 3600, 'kW.h': 3.6e6 },
  resistance: { Ohm: 1, kOhm: 1e3, MOhm: 1e6 },
  frequency: { Hz: 1, kHz: 1e3, MHz: 1e6 },
  mass: { g: 1, mg: 1e-3, ug: 1e-6, kg: 1e3 },
}

/** How people write some of them. */
const WRITTEN: Readonly<Record<string, string>> = {
  celsius: 'Cel',
  degC: 'Cel',
  '°C': 'Cel',
  kelvin: 'K',
  fahrenheit: '[degF]',
  degF: '[degF]',
  '°F': '[degF]',
  psi: '[psi]',
  mmHg: 'mm[Hg]',
  inHg: "[in_i'Hg]",
  kn: '[kn_i]',
  kt: '[kn_i]',
  mph: '[mi_i]/h',
  percent: '%',
  ratio: '1',
  ppm: '[ppm]',
  ppb: '[ppb]',
  ft: '[ft_i]',
  in: '[in_i]',
  mi: '[mi_i]',
  lux: 'lx',
  Lux: 'lx',
  'm/s^2': 'm/s2',
  rpm: '{rpm}',
  Wh: 'W.h',
  kWh: 'kW.h',
  ohm: 'Ohm',
}

const UNITS: ReadonlyMap<string, Unit> = new Map(
  Object.entries(TABLE).flatMap(([family, units]) =>
    Object.entries(units).map(([symbol, scale]): [string, Unit] => {
      const [factor, shift] = typeof scale === 'number' ? [scale, 0] : scale
      return [symbol, { family: family as Family, factor, shift }]
    }),
  ),
)

/** `out = in * gain + offset`. */
export interface Conversion {
  readonly gain: number
  readonly offset: number
}

/** The UCUM symbol of a unit as people write it (`degF`, `percent`); what is not known stays as it is. */
export function unitSymbol(text: string): string {
  return Object.hasOwn(WRITTEN, text) ? WRITTEN[text] : text
}

/** How values of one unit become values of another; `undefined` when they measure different things, or one is not known. */
export function conversion(from: string, to: string): Conversion | undefined {
  const source = unitSymbol(from)
  const target = unitSymbol(to)
  if (source === target) return { gain: 1, offset: 0 }
  const a = UNITS.get(source)
  const b = UNITS.get(target)
  if (a === undefined || b === undefined || a.family !== b.family) return undefined
  return { gain: a.factor / b.factor, offset: (a.shift - b.shift) / b.factor }
}

/** Symbols of what the unit converts to, itself among them; empty when it is not known. */
export function convertibleTo(unit: string): string[] {
  const family = UNITS.get(unitSymbol(unit))?.family
  return family === undefined ? [] : Object.keys(TABLE[family])
}
