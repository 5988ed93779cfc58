/** What a user's handler module sees: `docs/handlers.md` explains it with an example. */
import type { QualityName } from '#core/model/quality'
import type { BatchView } from './batch-view.js'

/** A module named by `module:` of a handler's configuration. */
export interface UserHandlerModule {
  /** Called once per thread, at its start; may check `registry.options` and throw. */
  register(registry: UserHandlerRegistry): void | Promise<void>
}

export interface UserHandlerRegistry {
  /** The keys beside `type`, `priority` and `module`, as they are written. */
  readonly options: Readonly<Record<string, unknown>>
  /**
   * @param type the one the configuration names
   * @param options `version`: part of {@link UserHandlerContext.idempotencyKey}; give it a new one when the handler's
   *   effects are to be made again for batches that had the old ones. A number, or text of at most 32 characters. Default 1.
   */
  register(type: string, handler: UserHandler, options?: { version?: string | number }): void
}

/**
 * Looks at one batch and returns findings, at once and not as a promise. It keeps no state: the batches of a series go
 * through whichever thread is free, and come again after a crash.
 */
export type UserHandler = (batch: BatchView, context: UserHandlerContext) => Iterable<UserFinding> | undefined

export interface UserHandlerContext {
  readonly options: Readonly<Record<string, unknown>>
  /**
   * The same whenever these samples come to this version of the handler again: after a crash, a failed attempt, from
   * whichever processor. An effect outside of the findings is made once when it is made under this key. Correlation id of
   * the batch, then `#first-last` when the call has only a part of its samples, handler type and version, at most 360
   * characters.
   */
  readonly idempotencyKey: string
  /** Makes a finding whose key is that of the draft behind the handler's type. */
  finding(draft: UserFinding): UserFinding
}

/** At most 1,000 of them for one batch, together at most 1 MiB of JSON. */
export interface UserFinding {
  /** Deterministic over the samples alone, so that a repeat replaces and does not add. At most 512 characters. */
  key: string
  /** Grows when the finding of this key says something newer. Default 0. */
  revision?: number
  device: string
  channel: string
  /** Event time it speaks of, microseconds since the Unix epoch. */
  atUs: number
  /** Result; what JSON can say, at most 16 KiB. */
  body: Readonly<Record<string, unknown>>
}

/** One sample of a batch. */
export interface SampleView {
  readonly device: string
  readonly channel: string
  readonly unit: string
  readonly value: number
  /** Microseconds since the Unix epoch. */
  readonly takenAtUs: number
  readonly sequence: number
  readonly quality: QualityName
}
