import { sourceDriver } from '../contract/source-driver.js'
import { CHECKSUM_KINDS } from '../text/checksummed-line.js'
import { readingShape } from '../text/reading-shape.js'
import { createLineDriver } from './line-driver.js'
import { LINE_DEFAULTS, type LineOptions } from './line-options.js'

export const driver = sourceDriver({
  kind: 'source',
  manifest: {
    name: 'line',
    summary: 'lines of text over a serial port',
    source: 'none: the options say what the lines mean',
    buses: [],
  },
  options: (field) => ({
    ...readingShape(field),
    path: field.text(4096),
    baud_rate: field.integer(50, 4_000_000).optional(),
    data_bits: field.integer(5, 8).optional(),
    parity: field.oneOf('none', 'even', 'odd').optional(),
    stop_bits: field.number(1, 2).optional(),
    format: field.oneOf('csv', 'whitespace', 'key-value', 'json', 'plotter', 'regex', 'struct').optional(),
    pattern: field.text(1024).optional(),
    struct: field.group({ layout: field.text(64), start: field.text(16) }).optional(),
    checksum: field
      .group({
        kind: field.oneOf(...CHECKSUM_KINDS),
        separator: field.text(8).optional(),
        skip: field.integer(0, 64).optional(),
      })
      .optional(),
    delimiter: field.text(8).optional(),
    max_line_bytes: field.byteSize(1, 65_536).optional(),
    skip_first_line: field.flag().optional(),
    keep_raw: field.flag().optional(),
    settle_ms: field.durationMs(0, 60_000).optional(),
    start_command: field.text(256).optional(),
    stop_command: field.text(256).optional(),
  }),
  create: (options, context) => createLineDriver({ ...LINE_DEFAULTS, ...options } as LineOptions, context),
})
