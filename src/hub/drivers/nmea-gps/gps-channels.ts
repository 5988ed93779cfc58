import type { Channel } from '../contract/manifest.js'

/** What a receiver measures; values of a reading stand in this order. */
export const GPS_CHANNELS = [
  { name: 'latitude', quantity: 'latitude', unit: 'deg', range: [-90, 90] },
  { name: 'longitude', quantity: 'longitude', unit: 'deg', range: [-180, 180] },
  { name: 'altitude', quantity: 'altitude above mean sea level', unit: 'm' },
  { name: 'speed', quantity: 'speed over ground', unit: 'm/s' },
  { name: 'course', quantity: 'course over ground', unit: 'deg', range: [0, 360] },
  { name: 'fix_quality', quantity: 'kind of fix: 0 none, 1 GPS, 2 differential, 4 RTK, 5 float RTK', unit: '' },
  { name: 'fix_dimension', quantity: 'kind of fix: 1 none, 2 without altitude, 3 with altitude', unit: '' },
  { name: 'satellites', quantity: 'satellites in use', unit: '' },
  { name: 'pdop', quantity: 'dilution of precision', unit: '' },
  { name: 'hdop', quantity: 'horizontal dilution of precision', unit: '' },
  { name: 'vdop', quantity: 'vertical dilution of precision', unit: '' },
  { name: 'utc_time', quantity: 'time since 1970-01-01', unit: 's' },
] as const satisfies readonly Channel[]

export type GpsChannel = (typeof GPS_CHANNELS)[number]['name']

/** Knots to metres a second: a nautical mile has 1852 m. */
export const MPS_PER_KNOT = 1852 / 3600
