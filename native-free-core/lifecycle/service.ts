/**
 * The contract of everything that runs: `start` resolves when the service does its work, `stop` when it has ended.
 *
 * Both may be called twice, and `stop` before `start`; a stopped service may be started again where it says so.
 */
export interface Service {
  start(): Promise<void>
  /** @param deadlineMs what the service may still take; it ends by then, reporting what it had to leave. */
  stop(deadlineMs: number): Promise<void>
}
