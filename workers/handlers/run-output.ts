import type { Finding } from '#core/model/finding'
import type { SeriesEntry } from '../state/series-directory.js'

/** What the entries of a run give: findings of the run, and refused samples of the entry at work. */
export class RunOutput {
  readonly findings: Finding[] = []
  /** Correlation id of the entry at work. */
  batch = ''
  #rejected: Record<string, number> = {}

  /** Counts samples of the entry at work as refused. */
  reject(reason: string, samples: number): void {
    if (samples > 0) this.#rejected[reason] = (this.#rejected[reason] ?? 0) + samples
  }

  /** The refused samples so far, by reason; the next entry starts from none. */
  takeRejected(): Readonly<Record<string, number>> {
    const rejected = this.#rejected
    this.#rejected = {}
    return rejected
  }

  add(finding: Finding): void {
    this.findings.push(finding)
  }
}

/** What a handler says; the series and the batch come with the run. */
export interface FindingDraft {
  key: string
  revision: number
  handler: string
  atUs: number
  body: Readonly<Record<string, unknown>>
}

export function findingOf(
  { key, revision, handler, atUs, body }: FindingDraft,
  series: SeriesEntry,
  batch: string,
): Finding {
  return { key, revision, handler, device: series.device, channel: series.channel, atUs, batch, body }
}
