/** What one series measures: the name that travels in a batch's dictionary. */
export interface SeriesDescriptor {
  /** At most 128 characters. */
  device: string
  /** At most 64 characters. */
  channel: string
  /** Unit as the device gives it, e.g. `celsius`; at most 32 characters; may be empty. */
  unit: string
}

/** The name of a series in findings, logs and state keys: `device/channel`. */
export function seriesKey(series: SeriesDescriptor): string {
  return `${series.device}/${series.channel}`
}
