import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCalibration } from '#src/hub/drivers/bme280/calibration'
import { celsius, fineTemperature, pascal, relativeHumidity } from '#src/hub/drivers/bme280/compensate'
import { humidityCode, pressureCode, temperatureCode } from '#src/hub/drivers/bme280/inverse'
import { EXAMPLE_CALIBRATION } from '#src/hub/drivers/bme280/virtual-chip'
import { readFault } from '#src/hub/drivers/contract/fault'
import { integerFine, integerHumidity, integerPressure } from '#test/unit/src/hub/drivers/bme280/integer-form'

const calibration = readCalibration(EXAMPLE_CALIBRATION, 'bme280', readFault)
const h = calibration.h!
const near = (value: number, wanted: number, off: number) =>
  assert.ok(Math.abs(value - wanted) <= off, `${value} is not within ${off} of ${wanted}`)

test('the example of the datasheet comes out: adc_T 519888 and adc_P 415148 are 25.08 °C and 100653.27 Pa', () => {
  // BMP280 datasheet, section 3.12: t_fine 128422, 25.08 °C, 100653.27 Pa.
  const fine = fineTemperature(519_888, calibration)
  near(fine, 128_422.287, 0.001)
  near(celsius(fine), 25.08, 0.005)
  near(pascal(415_148, fine, calibration)!, 100_653.27, 0.005)
})

test('humidity of the same instant comes out: adc_H 30000 is 45.017 %', () => {
  near(relativeHumidity(30_000, fineTemperature(519_888, calibration), h), 45.017, 0.001)
})

test('the doubles agree with the integer form of the datasheet over the range of the sensor', () => {
  for (let wantedCelsius = -40; wantedCelsius <= 85; wantedCelsius += 5) {
    const adcT = Math.round(temperatureCode(wantedCelsius, calibration))
    const fine = fineTemperature(adcT, calibration)
    const fineInt = integerFine(adcT, calibration)
    near(fine, fineInt, 15)
    near(celsius(fine), wantedCelsius, 0.0005)
    for (let wantedPascal = 30_000; wantedPascal <= 110_000; wantedPascal += 8000) {
      const adcP = Math.round(pressureCode(wantedPascal, fine, calibration))
      near(pascal(adcP, fine, calibration)!, wantedPascal, 0.2)
      near(pascal(adcP, fine, calibration)!, integerPressure(adcP, Math.round(fine), calibration), 1)
    }
    for (let percent = 5; percent <= 95; percent += 10) {
      const adcH = Math.round(humidityCode(percent, fine, h))
      near(relativeHumidity(adcH, fine, h), percent, 0.01)
      near(relativeHumidity(adcH, fine, h), integerHumidity(adcH, Math.round(fine), h), 0.02)
    }
  }
})

test('H4 and H5 are signed numbers of twelve bits, and 0xFF with 0xC is -4', () => {
  const bytes = EXAMPLE_CALIBRATION.slice()
  bytes.set([0xff, 0xcc, 0xff], 29)
  const { h: signed } = readCalibration(bytes, 'bme280', readFault)
  assert.equal(signed![3], -4)
  assert.equal(signed![4], -4)
  bytes.set([0x80, 0x00, 0x7f], 29)
  const { h: extreme } = readCalibration(bytes, 'bme280', readFault)
  assert.equal(extreme![3], -2048)
  assert.equal(extreme![4], 2032)
})

test('humidity is held to 0..100 %, as the datasheet does', () => {
  const fine = fineTemperature(519_888, calibration)
  assert.equal(relativeHumidity(65_535, fine, h), 100)
  assert.equal(relativeHumidity(0, fine, h), 0)
})

test('a calibration that would divide by zero gives no pressure instead of infinity', () => {
  const broken = { ...calibration, p: [0, ...calibration.p.slice(1)] }
  assert.equal(pascal(415_148, 128_422, broken), undefined)
})
