import { TelemetryError } from '#core/errors/telemetry-error'
import type { Finding } from '#core/model/finding'
import { unpackFindings } from '#core/protocol/packed-findings'
import type { Sink, SinkCounters } from '#src/processor/sinks/sink'
import type { SinkWrite } from '#src/processor/sinks/write-group'

/** A sink in memory for tests of what stands on it; a write can be made to be lost, or to wait. */
export class MemorySink implements Sink {
  readonly findings = new Map<string, Finding>()
  readonly failure: TelemetryError | undefined = undefined
  readonly counters: SinkCounters = { commits: 0, failedCommits: 0, queuedBytes: 0 }
  /** Called before each write takes effect; rejects to lose it. */
  onWrite: (rows: SinkWrite) => Promise<void> = async () => {}
  #last: Promise<unknown> = Promise.resolve()

  write(rows: SinkWrite): Promise<void> {
    const write = this.#last.then(async () => {
      try {
        await this.onWrite(rows)
      } catch {
        throw new TelemetryError('TLM_SINK_FAILED', 'The rows were lost as the test asked.')
      }
      this.counters.commits++
      for (const finding of unpackFindings(rows.findings.json)) {
        const known = this.findings.get(finding.key)
        if (known === undefined || finding.revision >= known.revision) this.findings.set(finding.key, finding)
      }
    })
    this.#last = write.catch(() => {})
    return write
  }

  async room(): Promise<void> {}

  async close(): Promise<void> {}
}
