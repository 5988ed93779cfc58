/** One line of the hub's log. */
export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly device?: string
  /** Of a reading that failed. */
  readonly fault?: string
  /** Of input that gave no sample. */
  readonly reason?: string
  readonly to?: string
}

/** A message that tells what to do. */
const ADVICE =
  /\b(check|plug|end|run|look|say|use|free|enable|start|set|cut|read it again|correct|replace|write|unbind|add|shield|lower|load|see that)\b/i

/** The log of a hub, a JSON object a line. */
export class RigLog {
  readonly lines: readonly LogLine[]

  constructor(text: string) {
    this.lines = text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as LogLine)
  }

  /** A line that names the device and one of the results, and says what to do. */
  advice(device: string, results: readonly string[]): LogLine | undefined {
    return this.lines.find(
      (line) =>
        line.device === device &&
        (results.includes(line.fault ?? '') ||
          results.includes(line.reason ?? '') ||
          (results.includes('lost') && line.to === 'Error')) &&
        (ADVICE.test(line.msg) || ADVICE.test(line.reason ?? '') || line.msg === 'input gave no sample'),
    )
  }
}
