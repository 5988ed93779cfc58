import type { OptionFields, OptionsOf } from '../contract/option-fields.js'
import { FILTER, MODE, OVERSAMPLING, type Oversampling, STANDBY_MS } from './bme280-registers.js'

export function bme280Shape({ oneOf }: OptionFields) {
  return {
    chip: oneOf('bme280', 'bmp280').default('bme280'),
    mode: oneOf('forced', 'normal').default('forced'),
    temperature_oversampling: oneOf('1', '2', '4', '8', '16').default('1'),
    pressure_oversampling: oneOf(...OVERSAMPLING).default('1'),
    humidity_oversampling: oneOf(...OVERSAMPLING).default('1'),
    filter: oneOf(...FILTER).default('off'),
    standby_ms: oneOf(...STANDBY_MS).default('62.5'),
  }
}

export type Bme280Options = OptionsOf<ReturnType<typeof bme280Shape>>

export function hasPressure(options: Bme280Options): boolean {
  return options.pressureOversampling !== 'skip'
}

export function hasHumidity(options: Bme280Options): boolean {
  return options.chip === 'bme280' && options.humidityOversampling !== 'skip'
}

/** The three configuration registers that these options ask for; `ctrlMeas` with mode sleep. */
export function registersOf(options: Bme280Options) {
  const osrsH = hasHumidity(options) ? OVERSAMPLING.indexOf(options.humidityOversampling) : 0
  const osrsT = OVERSAMPLING.indexOf(options.temperatureOversampling)
  const osrsP = OVERSAMPLING.indexOf(options.pressureOversampling)
  const standby = options.mode === 'normal' ? STANDBY_MS.indexOf(options.standbyMs) : 0
  return {
    ctrlHum: osrsH,
    ctrlMeas: (osrsT << 5) | (osrsP << 2) | MODE.sleep,
    config: (standby << 5) | (FILTER.indexOf(options.filter) << 2),
  }
}

/** Longest time of one measurement, milliseconds (BME280 datasheet, appendix B, 9.1). */
export function longestMeasureMs(options: Bme280Options): number {
  const pressure = times(options.pressureOversampling)
  const humidity = hasHumidity(options) ? times(options.humidityOversampling) : 0
  return 1.25 + 2.3 * times(options.temperatureOversampling) + part(pressure) + part(humidity)
}

function part(samples: number): number {
  return samples === 0 ? 0 : 2.3 * samples + 0.575
}

function times(oversampling: Oversampling): number {
  return oversampling === 'skip' ? 0 : Number(oversampling)
}
