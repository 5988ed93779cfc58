/** `refuse`: batches would be lost or refused; `warn`: it works, and something will hurt one day. */
export type Verdict = 'ok' | 'warn' | 'refuse'

/** What the doctor says of one property of one server. */
export interface Diagnosis {
  /** e.g. `Redis at 127.0.0.1:6379`. */
  where: string
  /** What was looked at: one word, of a small fixed set. */
  check: string
  verdict: Verdict
  /** One sentence; unless all is well it ends with what to change. */
  message: string
}

export type Judgement = Omit<Diagnosis, 'where'>
