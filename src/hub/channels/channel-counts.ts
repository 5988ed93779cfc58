import { QUALITY_NAMES, type QualityName } from '#core/model/quality'
import { SUSPECT_REASONS, type SuspectReason } from './value-checks.js'

/** Why a value was not passed on; `disabled`: by `enabled: false`. */
export const SUPPRESS_REASONS = ['deadband', 'skip_first', 'rate_limit', 'filter', 'disabled'] as const
export type SuppressReason = (typeof SUPPRESS_REASONS)[number]

/** What became of one channel's values. */
export interface ChannelFigures {
  readonly device: string
  /** As it is called from here on. */
  readonly channel: string
  readonly suppressed: Readonly<Record<SuppressReason, number>>
  /** A value that two checks object to is counted by both. */
  readonly suspect: Readonly<Record<SuspectReason, number>>
  /** Of the newest value; `undefined` before the first. */
  readonly quality: QualityName | undefined
}

export class ChannelCounts implements ChannelFigures {
  readonly device: string
  readonly channel: string
  readonly suppressed = zeros(SUPPRESS_REASONS)
  readonly suspect = zeros(SUSPECT_REASONS)
  /** -1: none yet. */
  newestQuality = -1

  constructor(device: string, channel: string) {
    this.device = device
    this.channel = channel
  }

  get quality(): QualityName | undefined {
    return QUALITY_NAMES[this.newestQuality]
  }
}

function zeros<const Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>
}
