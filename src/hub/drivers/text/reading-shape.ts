import { QUALITY_NAMES } from '#core/model/quality'
import type { OptionFields } from '../contract/option-fields.js'

/** The keys by which a file says how a line of text becomes a reading; what they mean stands at `ReadingOptions`. */
export function readingShape({ text, list, oneOf, integer, group, listOf }: OptionFields) {
  return {
    separator: text(1).optional(),
    fields: list(text(64)).optional(),
    columns: listOf(
      group({
        field: text(128),
        channel: text(64).optional(),
        unit: text(32).optional(),
        quality: oneOf(...QUALITY_NAMES).optional(),
      }),
      1,
      64,
    ).optional(),
    time: group({
      fields: list(text(64)),
      format: oneOf('iso', 'unix-s', 'unix-ms', 'unix-us').default('iso'),
      utc_offset_minutes: integer(-840, 840).optional(),
    }).optional(),
  }
}
