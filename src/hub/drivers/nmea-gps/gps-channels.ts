import type { Channel } from '../contract/manifest.js'

/** What a receiver measures; values of a reading stand in this order. The last one is only told when it is asked for. */
export const GPS_CHANNELS = [
  { name: 'latitude', quantity: 'latitude', unit: 'deg', range: [-90, 90] },
  { name: 'longitude', quantity: 'longitude', unit: 'deg', range: [-180, 180] },
  { name: 'altitude', quantity: 'altitude', unit: 'm' },
  { name: 'speed', quantity: 'speed', unit: 'm/s' },
  { name: 'course', quantity: 'course', unit: 'deg', range: [0, 360] },
  { name: 'fix_quality', quantity: 'fix_quality', unit: '' },
  { name: 'fix_dimension', quantity: 'fix_dimension', unit: '' },
  { name: 'satellites', quantity: 'satellites_in_use', unit: '' },
  { name: 'pdop', quantity: 'position_dilution', unit: '' },
  { name: 'hdop', quantity: 'horizontal_dilution', unit: '' },
  { name: 'vdop', quantity: 'vertical_dilution', unit: '' },
  { name: 'utc_time', quantity: 'time_since_1970', unit: 's' },
] as const satisfies readonly Channel[]

/** The channels of a device. */
export function gpsChannels({ utcTime }: { readonly utcTime: boolean }): readonly Channel[] {
  return utcTime ? GPS_CHANNELS : GPS_CHANNELS.slice(0, -1)
}

export type GpsChannel = (typeof GPS_CHANNELS)[number]['name']

/** Knots to metres a second: a nautical mile has 1852 m. */
export const MPS_PER_KNOT = 1852 / 3600
