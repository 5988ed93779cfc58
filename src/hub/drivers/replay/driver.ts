import { sourceDriver } from '../contract/source-driver.js'
import { readingShape } from '../text/reading-shape.js'
import { createReplayDriver } from './replay-driver.js'
import { REPLAY_DEFAULTS } from './replay-options.js'

export const driver = sourceDriver({
  kind: 'source',
  manifest: {
    name: 'replay',
    summary: 'a recording, played as if the device were here',
    source: 'none: the file says what was measured',
    buses: [],
  },
  options: (field) => ({
    ...readingShape(field),
    path: field.text(4096),
    format: field.oneOf('csv', 'whitespace', 'json').optional(),
    has_header: field.flag().optional(),
    speed: field.either(field.oneOf('max'), field.number(0.001, 1_000_000)).optional(),
    timestamps: field.oneOf('recorded', 'shifted').optional(),
    loop: field.flag().optional(),
    max_gap_ms: field.durationMs(1, 86_400_000).optional(),
    interval_ms: field.durationMs(0.001, 86_400_000).optional(),
    max_line_bytes: field.byteSize(16, 65_536).optional(),
  }),
  create: (options, context) => createReplayDriver({ ...REPLAY_DEFAULTS, ...options }, context),
})
