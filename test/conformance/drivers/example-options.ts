const REGISTERS = [
  { registers: { level: { holding: 0 } } },
  {
    unit_id: 7,
    max_registers_per_request: 3,
    max_hole_registers: 2,
    pause_between_requests: 5,
    identity: { holding: 100, value: 7 },
    registers: {
      voltage_l1: { document: 40011, scale: 0.1, unit: 'V' },
      current: { input: 3, type: 'i32', order: 'CDAB', scale: 0.001, unit: 'A' },
      energy: { input: 5, type: 'u64', order: 'DCBA', unit: 'kWh' },
      power: { holding: 20, type: 'f32', order: 'BADC', offset: -5, unit: 'W' },
      door: { discrete: 9 },
      overload: { holding: 30, bit: 4 },
    },
  },
]

/**
 * Options that the suite runs a driver with, as a file would give them. A driver that is not here runs with its
 * defaults; one whose options have none must be here.
 */
const EXAMPLES: Readonly<Record<string, readonly Record<string, unknown>[]>> = {
  bme280: [
    {},
    { chip: 'bmp280', pressure_oversampling: 16 },
    { mode: 'normal', filter: 4, standby_ms: 0.5, temperature_oversampling: 2, humidity_oversampling: 16 },
    { pressure_oversampling: 'skip' },
  ],
  sht3x: [{}, { repeatability: 'low' }, { mode: 'periodic', rate_hz: 10 }],
  sht4x: [{}, { repeatability: 'low' }],
  ads1115: [
    {},
    {
      channels: [
        { input: '0-1', full_scale_v: 0.256, samples_per_second: 8 },
        { input: 3, full_scale_v: 6.144, samples_per_second: 860 },
      ],
    },
  ],
  ds18b20: [{}, { id: '28-00000a1b2c3d', resolution: 9 }],
  hwmon: [{ inputs: 'temp1' }, { chip: 'ina3221', inputs: 'temp2,in1,curr1,power1,energy1,humidity1,fan1' }],
  'linux-iio': [
    { inputs: 'temp' },
    { chip: 'bme280', device: 'iio:device3', inputs: 'temp,pressure,humidityrelative' },
  ],
  mcp3008: [{}, { chip: 'mcp3208', inputs: '0,7,2-3', reference_v: 5 }],
  ina219: [{}, { mode: 'continuous', averages: 128 }, { shunt_ohms: 0.002, max_current_a: 15, current_step_a: 0.001 }],
  mpu6050: [{}, { mode: 'single' }, { rate_hz: 1000, acceleration_range_g: 16, rotation_range_dps: 2000 }],
  bh1750: [{}, { resolution: 'high2', measurement_time: 254 }, { resolution: 'low', measurement_time: 31 }],
  'modbus-rtu': REGISTERS,
  'modbus-tcp': REGISTERS,
  'mh-z19': [{}, { warm_up: 0, auto_baseline: false, range_ppm: 2000 }],
  sds011: [{}, { period_minutes: 5, device_id: 'A160' }],
  'nmea-gps': [{}, { rate_hz: 10, commands: ['PMTK220,100'] }],
  'command-sensor': [{}, { rate_ms: 10, calibrate_on_start: true, reset_on_start: true }],
}

export function exampleOptions(driver: string): readonly Record<string, unknown>[] {
  return EXAMPLES[driver] ?? [{}]
}
