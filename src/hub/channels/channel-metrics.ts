import { QUALITY_NAMES } from '#core/model/quality'
import type { MetricDefinition } from '../../host/metrics.js'
import type { ChannelFigures } from './channel-counts.js'

/** Metrics of the channels that have a pipeline; bounded by `max_series`. */
export function channelMetrics(figures: () => readonly ChannelFigures[]): MetricDefinition[] {
  const byReason = (read: (channel: ChannelFigures) => Readonly<Record<string, number>>) => () =>
    figures().flatMap((one) =>
      Object.entries(read(one)).map(([reason, value]) => ({
        labels: { device: one.device, channel: one.channel, reason },
        value,
      })),
    )
  return [
    {
      name: 'hub_channel_suppressed_samples_total',
      help: 'Values that were not passed on, by reason; they are not among the accepted samples.',
      kind: 'counter',
      labels: ['device', 'channel', 'reason'],
      read: byReason(({ suppressed }) => suppressed),
    },
    {
      name: 'hub_channel_suspect_samples_total',
      help: 'Values that a check of the hub objected to, by reason.',
      kind: 'counter',
      labels: ['device', 'channel', 'reason'],
      read: byReason(({ suspect }) => suspect),
    },
    {
      name: 'hub_channel_quality',
      help: '1 for the quality of the newest value.',
      kind: 'gauge',
      labels: ['device', 'channel', 'quality'],
      read: () =>
        figures()
          .filter(({ quality }) => quality !== undefined)
          .flatMap(({ device, channel, quality }) =>
            QUALITY_NAMES.map((name) => ({
              labels: { device, channel, quality: name },
              value: Number(name === quality),
            })),
          ),
    },
  ]
}
