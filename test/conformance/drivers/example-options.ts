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
  mcp3008: [{}, { chip: 'mcp3208', inputs: '0,7,2-3', reference_v: 5 }],
  ina219: [{}, { mode: 'continuous', averages: 128 }, { shunt_ohms: 0.002, max_current_a: 15, current_step_a: 0.001 }],
  mpu6050: [{}, { mode: 'single' }, { rate_hz: 1000, acceleration_range_g: 16, rotation_range_dps: 2000 }],
}

export function exampleOptions(driver: string): readonly Record<string, unknown>[] {
  return EXAMPLES[driver] ?? [{}]
}
