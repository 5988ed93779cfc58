/**
 * An example of a user's handler: warns when the dew point comes close to the temperature, so that walls and lenses get wet.
 * It needs nothing but the temperature and the humidity of one reading.
 *
 *   handlers:
 *     - type: climate.dew_point
 *       module: deploy/handlers/dew-point.mjs
 *       margin_celsius: 2
 */

/** @param {import('../../workers/user-handlers/user-handler.js').UserHandlerRegistry} registry */
export function register(registry) {
  const margin = registry.options.margin_celsius ?? 2
  if (typeof margin !== 'number')
    throw new TypeError(`margin_celsius: expected a number, got ${JSON.stringify(margin)}`)
  registry.register('climate.dew_point', (batch, context) => findCondensation(batch, context, margin))
}

function* findCondensation(batch, context, margin) {
  for (const { temperature, humidity } of readingsOf(batch)) {
    const dewPoint = dewPointOf(temperature.value, humidity.value)
    if (temperature.value - dewPoint > margin) continue
    yield context.finding({
      key: `${temperature.device}/${temperature.takenAtUs}`,
      device: temperature.device,
      channel: 'temperature',
      atUs: temperature.takenAtUs,
      body: { temperature: temperature.value, humidity: humidity.value, dewPoint },
    })
  }
}

/** Temperature and humidity that a device took at the same time. */
function* readingsOf(batch) {
  const readings = new Map()
  for (const sample of batch) {
    if (sample.quality !== 'good') continue
    const name = `${sample.device}/${sample.takenAtUs}`
    const reading = { ...readings.get(name), [sample.channel]: sample }
    readings.set(name, reading)
  }
  for (const reading of readings.values()) if (reading.temperature && reading.humidity?.value > 0) yield reading
}

/** Magnus' formula with the coefficients of Alduchov and Eskridge (1996), in degrees Celsius. */
function dewPointOf(celsius, percent) {
  const gamma = Math.log(percent / 100) + (17.625 * celsius) / (243.04 + celsius)
  return (243.04 * gamma) / (17.625 - gamma)
}
